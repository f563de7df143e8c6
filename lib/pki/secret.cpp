#include "pki/secret.hpp"

#include "pki/openssl.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>

namespace jarvis::pki {

namespace {

using KdfPtr = std::unique_ptr<EVP_KDF, FreeBy<EVP_KDF_free>>;
using KdfContextPtr = std::unique_ptr<EVP_KDF_CTX, FreeBy<EVP_KDF_CTX_free>>;

OSSL_PARAM octets(const char* name, std::string_view bytes)
{
    return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(bytes.data()), bytes.size());
}

} // namespace

Result<std::string> derive_secret(const Key& key, std::string_view label, std::string_view context, std::size_t size)
{
    unsigned char* der = nullptr;
    const int length = i2d_PrivateKey(key.get(), &der);
    if (length <= 0)
        return std::unexpected(openssl_error("cannot derive a secret from the key"));
    KdfPtr kdf(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_HKDF, nullptr));
    KdfContextPtr state(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                                     octets(OSSL_KDF_PARAM_KEY, {reinterpret_cast<char*>(der), static_cast<std::size_t>(length)}),
                                     octets(OSSL_KDF_PARAM_SALT, context), octets(OSSL_KDF_PARAM_INFO, label),
                                     OSSL_PARAM_construct_end()};
    std::string secret(size, '\0');
    const bool derived = state && EVP_KDF_derive(state.get(), reinterpret_cast<unsigned char*>(secret.data()), size, parameters) == 1;
    OPENSSL_clear_free(der, static_cast<std::size_t>(length));
    if (!derived)
        return std::unexpected(openssl_error("cannot derive a secret from the key"));
    return secret;
}

} // namespace jarvis::pki
