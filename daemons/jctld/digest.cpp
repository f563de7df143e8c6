#include "digest.hpp"

#include <cassert>
#include <openssl/evp.h>

namespace jarvis::jctld {

BlobHash sha256(std::string_view bytes)
{
    BlobHash hash{};
    unsigned size = 0;
    [[maybe_unused]] const int done = EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size, EVP_sha256(), nullptr);
    assert(done == 1 && size == hash.size());
    return hash;
}

} // namespace jarvis::jctld
