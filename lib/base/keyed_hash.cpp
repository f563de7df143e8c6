#include "base/keyed_hash.hpp"

#include <algorithm>
#include <cstring>

namespace jarvis {

namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b)
{
    __extension__ using Wide = unsigned __int128;
    const auto product = Wide{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

} // namespace

std::uint64_t keyed_hash(std::string_view bytes, std::uint64_t seed) noexcept
{
    static const char place = 0;
    const auto key = reinterpret_cast<std::uintptr_t>(&place);
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
