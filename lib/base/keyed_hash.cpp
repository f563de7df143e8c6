#include "base/keyed_hash.hpp"

#include <algorithm>
#include <cstring>
#include <sys/auxv.h>

namespace jarvis {

namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b)
{
    __extension__ using Wide = unsigned __int128;
    const auto product = Wide{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t random_key()
{
    std::uint64_t key = 0;
    if (const auto* random = reinterpret_cast<const char*>(::getauxval(AT_RANDOM)))
        std::memcpy(&key, random, sizeof key);
    return key;
}

} // namespace

std::uint64_t keyed_hash(std::string_view bytes, std::uint64_t seed) noexcept
{
    static const auto key = random_key();
    std::uint64_t hash = mix(seed ^ key, bytes.size() ^ 0xe7037ed1a0b428dbU);
    while (!bytes.empty()) {
        std::uint64_t half[2] = {};
        const auto size = std::min(bytes.size(), sizeof half);
        std::memcpy(half, bytes.data(), size);
        hash ^= mix(half[0] ^ key, half[1] ^ 0xa0761d6478bd642fU ^ hash);
        bytes.remove_prefix(size);
    }
    return mix(hash, key ^ 0x8ebc6af09c88c6e3U);
}

} // namespace jarvis
