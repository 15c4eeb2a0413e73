# SPDX-License-Identifier: Apache-2.0
"""The real oidc-agent of Debian without a terminal, with one account.

    agent = self.bed.add(Agent(self.bed, provider))
    self.mount(url, None, agent=agent.socket, account=agent.account)

Its account begins with a refresh token of the provider; from then on the
agent alone holds it. stop() and start() end and begin the agent, and load
the account again, as a person does with oidc-add.
"""
import json
import os
import signal
import socket
import subprocess

from bed.procs import Failed, Proc, Server, slow
from bed.provider import CLIENT, SECRET

PASSWORD = "of the test bed"


class Agent(Server):
    name = "agent"
    account = "tb"

    def __init__(self, bed, provider, name=None, account=None):
        super().__init__(bed, name)
        self.provider = provider
        self.account = account or self.account
        self.socket = os.path.join(self.folder, "agent.sock")
        os.chmod(self.folder, 0o700)
        self.env = {
            "PATH": "/usr/bin:/bin", "HOME": self.folder, "LANG": "C.UTF-8",
            "OIDC_CONFIG_DIR": self.folder + "/accounts",
            "OIDC_SOCK": self.socket, "OIDC_ENCRYPTION_PW": PASSWORD}
        os.makedirs(self.folder + "/accounts", mode=0o700)
        self.made = False

    def launch(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        return Proc(["oidc-agent", "-d", "-a", self.socket,
                     "--no-autoreauthenticate", "--no-webserver",
                     "--no-scheme", "--no-autoload"], self.log,
                    env=self.env)

    def ready(self):
        return os.path.exists(self.socket) and \
            self.ask({"request": "loaded_accounts"})["status"] == "success"

    def start(self, port=None):
        super().start(port)
        self.add() if self.made else self.make()
        return self

    def run(self, *argv, check=True, stdin=None):
        done = subprocess.run(
            argv, env=self.env, capture_output=True, text=True,
            input=stdin if stdin is not None else "",
            timeout=60 * max(1.0, slow), check=False)
        if check and done.returncode != 0:
            raise Failed(f"{argv[0]}: exit status {done.returncode}\n"
                         f"{done.stdout}\n{done.stderr}\n{self.logs()}")
        return done

    def make(self):
        """The account, which oidc-gen loads too."""
        self.run("oidc-gen", self.account, "--manual",
                 f"--issuer={self.provider.url}", f"--client-id={CLIENT}",
                 f"--client-secret={SECRET}",
                 "--scope=openid offline_access " + self.provider.scope,
                 "--redirect-uri=http://localhost:8080",
                 f"--rt={self.provider.grant()}",
                 f"--cert-path={self.bed.ca.cert}", "--pw-env",
                 "--prompt=none", "--confirm-default", "--no-url-call")
        self.made = True

    def add(self):
        """The account as it was kept. Who was killed while it asked for a
        token has lost the refresh token that came: a new login then."""
        done = self.run("oidc-add", "--pw-env", self.account, check=False)
        if done.returncode == 0:
            return
        if "invalid_grant" not in done.stdout + done.stderr:
            raise Failed(f"oidc-add: exit status {done.returncode}\n"
                         f"{done.stdout}\n{done.stderr}\n{self.logs()}")
        os.unlink(os.path.join(self.env["OIDC_CONFIG_DIR"], self.account))
        self.make()

    def lock(self):
        self.tell({"request": "lock", "password": PASSWORD})

    def unlock(self):
        self.tell({"request": "unlock", "password": PASSWORD})

    def ask(self, question):
        """One question to its socket, as a client does."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30 * max(1.0, slow))
            try:
                sock.connect(self.socket)
            except OSError as error:
                return {"status": "failure", "error": str(error)}
            sock.sendall(json.dumps(question).encode())
            text = b""
            while True:
                piece = sock.recv(65536)
                if not piece:
                    break
                text += piece
        return json.loads(text)

    def tell(self, question):
        answer = self.ask(question)
        if answer.get("status") != "success":
            raise Failed(f"oidc-agent: {question['request']}: {answer}")

    def stop(self, sig=signal.SIGTERM):
        super().stop(sig)
        if os.path.exists(self.socket):
            os.unlink(self.socket)
