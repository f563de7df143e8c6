// Owners of OpenSSL's objects, and its errors as ours. For the files that call OpenSSL only.
#pragma once

#include "base/result.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace jarvis::pki {

template <auto function>
struct FreeBy {
    template <class T>
    void operator()(T* object) const noexcept
    {
        function(object);
    }
};
using BioPtr = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;
using BigNumberPtr = std::unique_ptr<BIGNUM, FreeBy<BN_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, FreeBy<EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, FreeBy<EVP_MD_CTX_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, FreeBy<X509_EXTENSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeBy<GENERAL_NAMES_free>>;

// What OpenSSL says of its last failure, its queue emptied: "<what>: bad decrypt".
Error openssl_error(std::string_view what, Errc code = Errc::unavailable);

} // namespace jarvis::pki
