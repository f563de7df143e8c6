#include "digest.hpp"

#include <cassert>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace jarvis::jctld {

BlobHash sha256(std::string_view bytes)
{
    BlobHash hash{};
    unsigned size = 0;
    [[maybe_unused]] const int done = EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size, EVP_sha256(), nullptr);
    assert(done == 1 && size == hash.size());
    return hash;
}

Result<std::array<std::uint8_t, 16>> random_uuid()
{
    std::array<std::uint8_t, 16> uuid{};
    if (RAND_bytes(uuid.data(), static_cast<int>(uuid.size())) != 1)
        return fail(Errc::unavailable, "cannot make a random UUID: the random generator has no seed");
    uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0f) | 0x40);
    uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3f) | 0x80);
    return uuid;
}

} // namespace jarvis::jctld
