# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for one test run, and what it signs."""
import datetime
import ipaddress
import os
import shutil
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bed.space import ADDRESSES, HOSTS

SYSTEM = "/etc/ssl/certs/ca-certificates.crt"


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM,
                             serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


class CA:
    """@var cert    PEM file of the authority, what `ca_file=` wants
    @var bundle  the machine's authorities and this one"""

    def __init__(self, folder, title="bearerfs test bed"):
        self.folder = folder
        self.title = title
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = os.path.join(folder, "ca.pem")
        self.bundle = os.path.join(folder, "bundle.pem")
        usage = x509.KeyUsage(
            digital_signature=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True,
            encipher_only=False, decipher_only=False)
        self.own = self.builder(title, self.key.public_key(), title) \
            .add_extension(x509.BasicConstraints(True, None), True) \
            .add_extension(usage, True) \
            .sign(self.key, hashes.SHA256())
        text = self.own.public_bytes(serialization.Encoding.PEM)
        with open(self.cert, "wb") as file:
            file.write(text)
        with open(self.bundle, "wb") as file:
            if os.path.exists(SYSTEM):
                with open(SYSTEM, "rb") as system:
                    file.write(system.read())
            file.write(text)
        for path in (self.cert, self.bundle):
            os.chmod(path, 0o644)

    def builder(self, subject, public, issuer, ended=None):
        """@param ended  timedelta: so long ago; None: good for a month"""
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        return x509.CertificateBuilder().subject_name(name(subject)) \
            .issuer_name(name(issuer)).public_key(public) \
            .serial_number(x509.random_serial_number()) \
            .not_valid_before(now - day).not_valid_after(
                now + 30 * day if ended is None else now - ended)

    def subject_hash(self):
        """The name under which OpenSSL finds it in a folder: HASH.0"""
        return subprocess.run(
            ["openssl", "x509", "-hash", "-noout", "-in", self.cert],
            check=True, capture_output=True, text=True).stdout.strip()

    def server(self, label, hosts=None, user="root", ended=None):
        """A server's certificate and key, readable by `user`.

        @param hosts  names it speaks for; by default all of this machine's
        @param ended  timedelta: it was good until so long ago
        @return       (certificate file with chain, key file)
        """
        key = ec.generate_private_key(ec.SECP256R1())
        if hosts is None:
            hosts = ["localhost", "::1"] + ADDRESSES + HOSTS
        names = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        cert = self.builder(hosts[0], key.public_key(), self.title,
                            ended) \
            .add_extension(x509.SubjectAlternativeName(names), False) \
            .add_extension(x509.BasicConstraints(False, None), True) \
            .add_extension(x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH]), False) \
            .sign(self.key, hashes.SHA256())
        cert_file = os.path.join(self.folder, label + ".crt")
        key_file = os.path.join(self.folder, label + ".key")
        with open(cert_file, "wb") as file:
            file.write(cert.public_bytes(serialization.Encoding.PEM))
            file.write(self.own.public_bytes(serialization.Encoding.PEM))
        os.chmod(cert_file, 0o644)
        with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                          0o600),
                  "wb") as file:
            file.write(pem(key))
        shutil.chown(key_file, user)
        return cert_file, key_file
