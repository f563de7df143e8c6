// Text as a host list. What expands is compressed to a list that expands to the same names.
#include "base/hostlist.hpp"
#include "require.hpp"

#include <algorithm>
#include <cstdint>

using namespace jarvis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    constexpr std::size_t limit = 4096;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    auto names = expand_hostlist(text, limit);
    if (!names)
        return 0;
    JARVIS_REQUIRE(names->size() <= limit);
    const std::string compressed = compress_hostlist(*names);
    auto again = expand_hostlist(compressed, limit);
    JARVIS_REQUIRE(again);
    JARVIS_REQUIRE(compress_hostlist(*again) == compressed);
    std::ranges::sort(*names);
    std::ranges::sort(*again);
    JARVIS_REQUIRE(*names == *again);
    return 0;
}
