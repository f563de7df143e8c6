#include "digest.hpp"

#include <cassert>
#include <openssl/evp.h>

namespace jarvis::jctld {

BlobHash sha256(std::string_view bytes)
{
    BlobHash hash{};
    unsigned size = 0;
    // Looked up once: EVP_sha256() would be for each digest.
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
    [[maybe_unused]] const int done = EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size, algorithm, nullptr);
    assert(done == 1 && size == hash.size());
    return hash;
}

} // namespace jarvis::jctld
