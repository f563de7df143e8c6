#include "pki/signature.hpp"

#include "pki/openssl.hpp"

#include <openssl/err.h>

#include <cassert>

namespace jarvis::pki {

namespace {

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

} // namespace

std::string sha256(std::string_view content)
{
    std::string digest(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    [[maybe_unused]] const int done =
        EVP_Digest(content.data(), content.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(), nullptr);
    assert(done == 1);
    digest.resize(size);
    return digest;
}

Result<std::string> sign(const Key& key, std::string_view content)
{
    DigestContextPtr context(EVP_MD_CTX_new());
    std::size_t size = 0;
    std::string signature;
    bool done = context && EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
                EVP_DigestSign(context.get(), nullptr, &size, bytes(content), content.size()) == 1;
    if (done) {
        signature.resize(size);
        done = EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes(content),
                              content.size()) == 1;
        signature.resize(size);
    }
    if (!done)
        return std::unexpected(openssl_error("cannot sign"));
    return signature;
}

Result<void> check_signature(const Certificate& signer, std::string_view content, std::string_view signature)
{
    DigestContextPtr context(EVP_MD_CTX_new());
    const bool good = context &&
                      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, X509_get0_pubkey(signer.get())) == 1 &&
                      EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(content), content.size()) == 1;
    ERR_clear_error();
    if (!good)
        return fail(Errc::denied, "the signature is not that of {}", describe(signer));
    return {};
}

} // namespace jarvis::pki
