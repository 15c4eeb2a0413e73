-- SPDX-License-Identifier: Apache-2.0
-- The bearer check of the test bed's nginx: RFC 6750 with JWTs of one issuer
-- (ES256 and RS256 by libcrypto), scopes of SciTokens and WLCG by whole path
-- components. check() runs in the access phase; load() once at start.
local ffi = require "ffi"
local json = require "cjson.safe"

ffi.cdef [[
typedef struct bio_st BIO;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_md_st EVP_MD;
typedef struct evp_md_ctx_st EVP_MD_CTX;
BIO *BIO_new_mem_buf(const void *buf, int len);
int BIO_free(BIO *bio);
EVP_PKEY *PEM_read_bio_PUBKEY(BIO *bio, void *x, void *cb, void *u);
const EVP_MD *EVP_sha256(void);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *ctx);
int EVP_DigestVerifyInit(EVP_MD_CTX *ctx, void **pctx, const EVP_MD *type,
    void *engine, EVP_PKEY *key);
int EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t n,
    const unsigned char *text, size_t size);
void ERR_clear_error(void);
]]
local crypto = ffi.load("libcrypto.so.3")

local M = { keys = {} }
local verified, count = {}, 0 -- token text -> claims whose signature is good

function M.load(path)
    local file = assert(io.open(path))
    local config = assert(json.decode(file:read("*a")))
    file:close()
    M.issuer, M.audience = config.issuer, config.audience
    for kid, key in pairs(config.keys) do
        local bio = crypto.BIO_new_mem_buf(key.pem, #key.pem)
        local public = crypto.PEM_read_bio_PUBKEY(bio, nil, nil, nil)
        crypto.BIO_free(bio)
        assert(public ~= nil, "bad key " .. kid)
        M.keys[kid] = { alg = key.alg, public = public }
    end
end

local function unbase64(text)
    if text:find("[^%w_-]") then
        return nil
    end
    text = text:gsub("-", "+"):gsub("_", "/")
    return ngx.decode_base64(text .. ("="):rep(-#text % 4))
end

-- A number of an ECDSA signature as DER writes it: positive, no zeros.
local function der(number)
    number = number:gsub("^%z+", "")
    if number == "" or number:byte() >= 128 then
        number = "\0" .. number
    end
    return "\2" .. string.char(#number) .. number
end

local function signed(key, text, signature)
    if key.alg == "ES256" then
        if #signature ~= 64 then
            return false
        end
        local body = der(signature:sub(1, 32)) .. der(signature:sub(33))
        signature = "\48" .. string.char(#body) .. body
    end
    local ctx = crypto.EVP_MD_CTX_new()
    local good = crypto.EVP_DigestVerifyInit(ctx, nil, crypto.EVP_sha256(),
        nil, key.public) == 1 and
        crypto.EVP_DigestVerify(ctx, signature, #signature, text, #text) == 1
    crypto.EVP_MD_CTX_free(ctx)
    crypto.ERR_clear_error()
    return good
end

local function claims_of(token)
    if verified[token] then
        return verified[token]
    end
    local text, head, body, signature =
        token:match("^(([%w_-]+)%.([%w_-]+))%.([%w_-]+)$")
    head = head and json.decode(unbase64(head) or "")
    local claims = body and json.decode(unbase64(body) or "")
    local key = type(head) == "table" and M.keys[head.kid or ""]
    if not key or type(claims) ~= "table" or head.alg ~= key.alg or
        not signed(key, text, unbase64(signature) or "") then
        return nil
    end
    if count == 1000 then
        verified, count = {}, 0
    end
    verified[token], count = claims, count + 1
    return claims
end

local function audience_ok(aud)
    for _, one in ipairs(type(aud) == "table" and aud or { aud }) do
        if one == M.audience or one == "ANY" or
            one == "https://wlcg.cern.ch/jwt/v1/any" then
            return true
        end
    end
    return false
end

local READ = { read = true, ["storage.read"] = true,
    ["storage.stage"] = true }
local MODIFY = { write = true, ["storage.modify"] = true }
local CREATE = { write = true, ["storage.modify"] = true,
    ["storage.create"] = true }

local function allowed(scopes, rights, path)
    for right, reach in tostring(scopes or ""):gmatch("([%w.]+):(%S+)") do
        local full = (ngx.var.bed_base .. reach):gsub("/+$", "")
        if rights[right] and (path == full or
            path:sub(1, #full + 1) == full .. "/") then
            return true
        end
    end
    return false
end

local function refuse(status, code)
    ngx.header["WWW-Authenticate"] = 'Bearer realm="bed"' ..
        (code and (', error="' .. code .. '"') or "")
    return ngx.exit(status)
end

-- The server's own clock, which may be wrong.
local function clock()
    return ngx.time() + tonumber(ngx.var.bed_skew or 0)
end

function M.date()
    if (ngx.var.bed_skew or "0") ~= "0" then
        ngx.header["Date"] = ngx.http_time(clock())
    end
end

function M.check()
    local header = ngx.var.http_authorization
    if not header and ngx.var.bed_query == "1" and ngx.var.arg_authz then
        header = ngx.unescape_uri(ngx.var.arg_authz)
    end
    local token = header and header:match("^[Bb]earer +(%S+)$")
    if not token then
        return refuse(401)
    end
    local claims, now = claims_of(token), clock()
    if not claims or claims.iss ~= M.issuer or not audience_ok(claims.aud) or
        type(claims.exp) ~= "number" or claims.exp <= now or
        (claims.nbf and claims.nbf > now) then
        return refuse(401, "invalid_token")
    end
    ngx.var.bed_scope = claims.scope
    local method, path = ngx.req.get_method(), ngx.var.uri:gsub("/+$", "")
    local rights = READ
    if method == "PUT" or method == "MKCOL" then
        local there = io.open(ngx.var.request_filename)
        rights = there and MODIFY or CREATE
        if there then
            there:close()
        end
    elseif method == "DELETE" or method == "MOVE" then
        rights = MODIFY
    end
    if not allowed(claims.scope, rights, path) then
        return refuse(403, "insufficient_scope")
    end
    local target = ngx.var.http_destination
    if target then
        target = ngx.unescape_uri(target:gsub("^https?://[^/]*", ""))
        if target:find("/../", 1, true) or
            not allowed(claims.scope, MODIFY, (target:gsub("/+$", ""))) then
            return refuse(403, "insufficient_scope")
        end
    end
end

return M
