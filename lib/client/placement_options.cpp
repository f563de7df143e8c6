#include "client/placement_options.hpp"

#include "base/escape.hpp"
#include "base/units.hpp"
#include "client/id_list.hpp"
#include "client/option_values.hpp"
#include "model/huge_pages.hpp"
#include "wire/limits.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace jarvis::client {

namespace {

using Options = SubmitOptions&;
using Text = const std::string&;

// Wishes are values that many jobs share, so one is changed by making another.
template <class Change>
Result<void> change(SubmitOptions& options, Change make)
{
    auto& place = options.submitted.request.resources.wishes;
    PlacementWishes wishes = *place;
    if (Result<void> made = make(wishes); !made)
        return made;
    place = std::move(wishes);
    return {};
}

template <class Enum, std::size_t count>
Result<void> set_word(Enum& place, Text text, const std::array<std::string_view, count>& known,
                      const std::array<Enum, count>& meanings)
{
    const auto word = parse_word(text, known);
    if (!word)
        return std::unexpected(word.error());
    place = meanings[*word];
    return {};
}

Result<void> set_place(Options options, Text text, WallTime)
{
    using enum PlacePattern;
    return change(options, [&](PlacementWishes& wishes) {
        return set_word<PlacePattern, 3>(wishes.place, text, {"close", "spread", "numa"}, {close, spread, numa});
    });
}

// N, or one of two words for what other options say.
Result<void> set_numa(Options options, Text text, WallTime)
{
    return change(options, [&](PlacementWishes& wishes) -> Result<void> {
        if (text == "local") {
            wishes.memory = MemoryBinding::local;
        } else if (text == "spread") {
            wishes.place = PlacePattern::spread;
        } else if (!text.empty() && text.find_first_not_of("+-0123456789") == std::string::npos) {
            return set_count(wishes.numa_nodes, text, wire::limits::numa_nodes);
        } else {
            constexpr std::array<std::string_view, 3> known{"a number of NUMA nodes", "local", "spread"};
            return std::unexpected(parse_word(text, known).error());
        }
        return {};
    });
}

Result<void> set_memory_binding(Options options, Text text, WallTime)
{
    using enum MemoryBinding;
    return change(options, [&](PlacementWishes& wishes) {
        return set_word<MemoryBinding, 4>(wishes.memory, text, {"local", "prefer", "interleave", "none"}, {local, prefer, interleave, none});
    });
}

// Without a value: whole nodes.
Result<void> set_exclusive(Options options, Text text, WallTime)
{
    using enum AloneOn;
    auto& resources = options.submitted.request.resources;
    AloneOn level = core; // of a node that is taken whole
    if (!text.empty())
        if (auto ok = set_word<AloneOn, 4>(level, text, {"node", "package", "numa", "l3"}, {core, package, numa, l3}); !ok)
            return ok;
    resources.exclusive = text.empty() || text == "node";
    return change(options, [&](PlacementWishes& wishes) -> Result<void> { wishes.alone_on = level; return {}; });
}

Result<void> set_hint(Options options, Text text, WallTime)
{
    constexpr std::array<std::string_view, 4> known{"nomultithread", "multithread", "compute_bound", "memory_bound"};
    const auto hint = parse_word(text, known);
    if (!hint)
        return std::unexpected(hint.error());
    return change(options, [&](PlacementWishes& wishes) -> Result<void> {
        wishes.threads_per_core = known[*hint] == "multithread" ? 0 : 1;
        if (known[*hint] == "compute_bound")
            wishes.place = PlacePattern::close;
        if (known[*hint] == "memory_bound")
            wishes.place = PlacePattern::spread;
        return {};
    });
}

template <std::uint32_t PlacementWishes::* place, std::uint32_t most>
Result<void> set_wish(Options options, Text text, WallTime)
{
    return change(options, [&](PlacementWishes& wishes) { return set_count(wishes.*place, text, most); });
}

// "cyclic", "plane=4"; "*" is the default, as sbatch has it.
Result<Distribution> distribution_of(const std::string& word, std::uint32_t& plane)
{
    constexpr std::string_view with_size = "plane=";
    if (word.starts_with(with_size)) {
        std::uint32_t size = 0;
        if (auto ok = set_count(size, word.substr(with_size.size()), wire::limits::tasks); !ok)
            return fail(ok.error(), "plane");
        if (plane != 0 && plane != size)
            return fail(Errc::invalid, "planes of {} and of {} tasks: one size holds for both", plane, size);
        plane = size;
        return Distribution::plane;
    }
    if (word == "plane")
        return fail(Errc::invalid, "plane needs its number of tasks, as in plane=4");
    if (word == "*")
        return Distribution::block;
    constexpr std::array<std::string_view, 3> known{"block", "cyclic", "plane=N"};
    const auto found = parse_word(word, known);
    if (!found)
        return std::unexpected(found.error());
    return *found == 0 ? Distribution::block : Distribution::cyclic;
}

// NODES[:INSIDE]
Result<void> set_distribution(Options options, Text text, WallTime)
{
    return change(options, [&](PlacementWishes& wishes) -> Result<void> {
        std::uint32_t plane = 0;
        const auto colon = text.find(':');
        const auto nodes = distribution_of(text.substr(0, colon), plane);
        if (!nodes)
            return fail(nodes.error(), "over nodes");
        auto inside = Result<Distribution>(Distribution::block);
        if (colon != std::string::npos)
            inside = distribution_of(text.substr(colon + 1), plane);
        if (!inside)
            return fail(inside.error(), "inside nodes");
        wishes.over_nodes = *nodes;
        wishes.inside = *inside;
        wishes.plane = plane;
        return {};
    });
}

bool is_count(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

Result<void> check_device_name(std::string_view text, std::string_view what)
{
    const auto good = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; };
    if (text.empty())
        return fail(Errc::invalid, "{} is empty", what);
    for (std::size_t i = 0; i < text.size(); ++i)
        if (!good(static_cast<unsigned char>(text[i])))
            return fail(Errc::invalid, "{} \"{}\": column {}: letters, digits and _ - . are possible", what, escape_for_terminal(text),
                        i + 1);
    if (text.size() > wire::limits::name)
        return fail(Errc::invalid, "{} of {} bytes; at most {} are possible", what, text.size(), wire::limits::name);
    return {};
}

// NAME[:TYPE][:COUNT]
Result<DeviceRequest> parse_device(const std::string& text)
{
    std::vector<std::string> parts(1);
    for (char c : text)
        if (c == ':')
            parts.emplace_back();
        else
            parts.back() += c;
    DeviceRequest device{.resource = parts[0], .type = {}, .count = 1};
    if (auto good = check_device_name(parts[0], "the device's name"); !good)
        return std::unexpected(good.error());
    if (parts.size() > 3)
        return fail(Errc::invalid, "expected NAME[:TYPE][:COUNT]");
    const bool counted = parts.size() == 3 || (parts.size() == 2 && is_count(parts[1]));
    if (counted)
        if (auto ok = set_count(device.count, parts.back(), wire::limits::devices); !ok)
            return fail(ok.error(), "count");
    if (parts.size() == 3 || (parts.size() == 2 && !counted)) {
        if (auto good = check_device_name(parts[1], "the device's type"); !good)
            return std::unexpected(good.error());
        device.type = parts[1];
    }
    return device;
}

Result<std::vector<DeviceRequest>> parse_devices(const std::string& text)
{
    std::vector<DeviceRequest> devices;
    if (text == "none") // takes a directive's back
        return devices;
    const auto parts = split_list(text, "device");
    if (!parts)
        return std::unexpected(parts.error());
    for (const auto& part : *parts) {
        auto device = parse_device(part);
        if (!device)
            return fail(device.error(), "\"{}\"", escape_for_terminal(part));
        devices.push_back(std::move(*device));
    }
    if (devices.size() > wire::limits::device_requests)
        return fail(Errc::invalid, "{} kinds of devices; at most {} are possible", devices.size(), wire::limits::device_requests);
    const auto key = [](const DeviceRequest& device) { return std::pair(device.resource, device.type); };
    std::ranges::sort(devices, {}, key);
    const auto twice = std::ranges::adjacent_find(devices, {}, key);
    if (twice != devices.end())
        return fail(Errc::invalid, "{}{}{} is there twice; give one count for all of them", twice->resource, twice->type.empty() ? "" : ":",
                    twice->type);
    return devices;
}

Result<void> set_gres(Options options, Text text, WallTime)
{
    return change(options, [&](PlacementWishes& wishes) { return store(parse_devices(text), wishes.devices); });
}

Result<void> set_gres_flags(Options options, Text text, WallTime)
{
    constexpr std::array<std::string_view, 2> known{"enforce-binding", "disable-binding"};
    const auto flag = parse_word(text, known);
    if (!flag)
        return std::unexpected(flag.error());
    return change(options, [&](PlacementWishes& wishes) -> Result<void> { wishes.near_devices = *flag == 0; return {}; });
}

// [SIZE:]COUNT
Result<HugePages> parse_huge_page(const std::string& text)
{
    HugePages pages{.size = mebibytes(2), .count = 0}; // of x86-64 and arm64 the smallest that their usual kernels have
    const auto colon = text.find(':');
    if (colon != std::string::npos) {
        const auto size = parse_memory_size(text.substr(0, colon));
        if (!size)
            return std::unexpected(size.error());
        if (!find_huge_page_size(*size)) {
            std::string known;
            for (const auto& one : huge_page_sizes())
                known += fmt::format("{}{}", known.empty() ? "" : ", ", one.text);
            return fail(Errc::invalid, "there are no huge pages of {}; there are {}", format_memory_size_exact(*size), known);
        }
        pages.size = *size;
    }
    if (auto ok = set_count(pages.count, colon == std::string::npos ? text : text.substr(colon + 1), wire::limits::huge_pages); !ok)
        return fail(ok.error(), "count");
    return pages;
}

Result<std::vector<HugePages>> parse_huge_pages(const std::string& text)
{
    std::vector<HugePages> all;
    if (text == "none") // takes a directive's back
        return all;
    const auto parts = split_list(text, "number of huge pages");
    if (!parts)
        return std::unexpected(parts.error());
    for (const auto& part : *parts) {
        const auto pages = parse_huge_page(part);
        if (!pages)
            return fail(pages.error(), "\"{}\"", escape_for_terminal(part));
        all.push_back(*pages);
    }
    std::ranges::sort(all, {}, &HugePages::size);
    if (const auto twice = std::ranges::adjacent_find(all, {}, &HugePages::size); twice != all.end())
        return fail(Errc::invalid, "huge pages of {} are there twice; give one count for all of them", format_memory_size_exact(twice->size));
    return all;
}

Result<void> set_huge_pages(Options options, Text text, WallTime)
{
    return change(options, [&](PlacementWishes& wishes) { return store(parse_huge_pages(text), wishes.huge_pages); });
}

// Without a value: yes. A directive is taken back with "no".
Result<void> set_isolation(Options options, Text text, WallTime)
{
    constexpr std::array<std::string_view, 2> known{"yes", "no"};
    const auto word = text.empty() ? Result<std::size_t>(0) : parse_word(text, known);
    if (!word)
        return std::unexpected(word.error());
    return change(options, [&](PlacementWishes& wishes) -> Result<void> { wishes.isolated = *word == 0; return {}; });
}

constexpr std::string_view gpu_help = "ask for GPUs on each node with --gres=gpu:N, or --gres=gpu:TYPE:N";

constexpr SubmitOption table[] = {
    {{0, "place", "PATTERN", "close: cores near each other (default); spread: over all NUMA nodes; numa: each task inside one NUMA node"},
     false, set_place, "close, spread or numa"},
    {{0, "numa", "N|local|spread", "cores of exactly N NUMA nodes of each node; local is --mem-bind=local, spread is --place=spread"},
     false, set_numa, "a number such as 2"},
    {{0, "mem-bind", "WHICH", "memory: prefer the NUMA nodes of the job's cores (default), local: those alone, interleave: evenly from "
                              "them, none: any of the node's"},
     false, set_memory_binding, "local, prefer, interleave or none"},
    {{.letter = 0, .name = "exclusive", .value = "LEVEL",
      .help = "whole nodes, shared with no other job; or whole parts of them: package, numa, l3", .optional_value = true},
     false, set_exclusive, "node, package, numa or l3"},
    {{0, "hint", "KIND", "nomultithread: one thread of each core; multithread: all; compute_bound: one, and --place=close; memory_bound: "
                         "one, and --place=spread"},
     false, set_hint, "a kind such as nomultithread"},
    {{0, "threads-per-core", "N", "hardware threads that tasks use of each core (default: all)"}, false,
     set_wish<&PlacementWishes::threads_per_core, wire::limits::pus_of_core>, "a number such as 1"},
    {{0, "ntasks-per-package", "N", "at most so many tasks on one package"}, false,
     set_wish<&PlacementWishes::tasks_per_package, wire::limits::tasks>, "a number such as 2"},
    {{0, "ntasks-per-numa", "N", "at most so many tasks on one NUMA node"}, false,
     set_wish<&PlacementWishes::tasks_per_numa, wire::limits::tasks>, "a number such as 2"},
    {{0, "ntasks-per-l3", "N", "at most so many tasks on the cores of one L3 cache"}, false,
     set_wish<&PlacementWishes::tasks_per_l3, wire::limits::tasks>, "a number such as 1"},
    {{'m', "distribution", "NODES[:INSIDE]", "how tasks follow each other over nodes, and over the NUMA nodes inside: block (default), "
                                             "cyclic, plane=N"},
     false, set_distribution, "a distribution such as cyclic or block:cyclic"},
    {{0, "gres", "NAME[:TYPE][:COUNT],...", "devices on each node: gpu, gpu:2, gpu:a100:4,nic; none"}, false, set_gres,
     "devices such as gpu:2"},
    {{0, "gres-flags", "FLAG", "enforce-binding: only cores that are near the devices; disable-binding: any (default)"}, false, set_gres_flags,
     "enforce-binding or disable-binding"},
    {{0, "hugepages", "[SIZE:]COUNT,...", "the most huge pages that the job uses on each node, of 2M or of SIZE; none"}, false, set_huge_pages,
     "a number such as 512, or 1G:4"},
    {{.letter = 0, .name = "cpu-isolation", .value = "YESNO",
      .help = "the kernel's scheduler moves nothing onto or off the job's cores: yes (without a value) or no", .optional_value = true},
     false, set_isolation, "yes or no"},
    // What people of other schedulers type for it.
    {{.letter = 'G', .name = "gpus", .value = "N", .help = {}, .instead = gpu_help}, true, nullptr},
    {{.letter = 0, .name = "gpus-per-node", .value = "N", .help = {}, .instead = gpu_help}, true, nullptr},
    {{.letter = 0, .name = "gpus-per-task", .value = "N", .help = {}, .instead = gpu_help}, true, nullptr},
    {{.letter = 0, .name = "ntasks-per-socket", .value = "N", .help = {}, .instead = "use --ntasks-per-package"}, true, nullptr},
};

} // namespace

std::span<const SubmitOption> placement_option_table() { return table; }

Result<void> check_placement(const ResourceRequest& resources)
{
    const auto& wishes = *resources.wishes;
    if (wishes.near_devices && wishes.devices.empty())
        return fail(Errc::invalid, "--gres-flags=enforce-binding is about devices: ask for some with --gres, or leave it out");
    if (resources.exclusive && wishes.numa_nodes > 0)
        return fail(Errc::invalid, "--exclusive takes whole nodes with all their NUMA nodes; for {0} whole ones of each use "
                                   "--exclusive=numa --numa={0}", wishes.numa_nodes);
    return {};
}

void share_nodes(ResourceRequest& resources)
{
    resources.exclusive = false;
    PlacementWishes wishes = *resources.wishes;
    wishes.alone_on = AloneOn::core;
    resources.wishes = std::move(wishes);
}

} // namespace jarvis::client
