#include "model/huge_pages.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace jarvis {
namespace {

// x86-64 has 2M and 1G; arm64, by its base page, 64K, 2M, 32M, 512M, 1G, 16G; s390 1M; POWER 2M, 16M, 1G, 16G.
constexpr std::array sizes{
    HugePageSize{MemorySize{std::int64_t{64} << 10}, Capability::pages_64k, "64KB", "64K"},
    HugePageSize{mebibytes(1), Capability::pages_1m, "1MB", "1M"},
    HugePageSize{mebibytes(2), Capability::pages_2m, "2MB", "2M"},
    HugePageSize{mebibytes(16), Capability::pages_16m, "16MB", "16M"},
    HugePageSize{mebibytes(32), Capability::pages_32m, "32MB", "32M"},
    HugePageSize{mebibytes(512), Capability::pages_512m, "512MB", "512M"},
    HugePageSize{mebibytes(1024), Capability::pages_1g, "1GB", "1G"},
    HugePageSize{mebibytes(16384), Capability::pages_16g, "16GB", "16G"},
};

} // namespace

std::span<const HugePageSize> huge_page_sizes() { return sizes; }

const HugePageSize* find_huge_page_size(MemorySize size)
{
    const auto* found = std::ranges::find(sizes, size, &HugePageSize::size);
    return found == sizes.end() ? nullptr : found;
}

std::optional<Capability> capability_for(MemorySize page_size)
{
    const auto* found = find_huge_page_size(page_size);
    return found ? std::optional(found->capability) : std::nullopt;
}

Capabilities asked_of_nodes(const PlacementWishes& wishes)
{
    Capabilities asked;
    for (const auto& pages : wishes.huge_pages) {
        asked.add(Capability::hugetlb);
        if (const auto capability = capability_for(pages.size))
            asked.add(*capability);
    }
    if (wishes.isolated)
        asked.add(Capability::isolation);
    return asked;
}

std::string ability_text(Capabilities capabilities)
{
    std::string list;
    for (const auto& known : sizes)
        if (capabilities.has(known.capability))
            list += fmt::format("{}{}", list.empty() ? "limit huge pages of " : " and ", known.text);
    if (capabilities.has(Capability::isolation))
        list += fmt::format("{}isolate cores", list.empty() ? "" : ", ");
    return list;
}

} // namespace jarvis
