#include "journal/older_version.hpp"

#include "cluster/state.hpp"
#include "journal.pb.h"
#include "journal/codec.hpp"
#include "journal/format.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <span>

namespace jarvis::journal {

namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::internal::WireFormatLite;

constexpr std::size_t named_obstacles = 10;

// The fields that a version knows: those up to `last`, and which of them are messages. (The test `upgrade` holds this against
// the version's .proto files.)
struct Inner {
    int field;
    std::string_view message;
};
struct Known {
    std::string_view message;
    int last;
    std::vector<Inner> inner;
};
struct Version {
    std::string_view name;
    std::uint32_t format;
    std::vector<Known> messages;
};

const Version& version_0_1()
{
    static const Version version{
        "0.1",
        1,
        {
            {"SnapshotRecord", 4, {{1, "SnapshotHeader"}, {2, "NodeRecord"}, {3, "JobRecord"}, {4, "SnapshotFooter"}}},
            {"SnapshotHeader", 10, {{8, "Settings"}, {10, "BootClock"}}},
            {"SnapshotFooter", 2, {}},
            {"BootClock", 2, {}},
            {"Settings", 9, {{2, "Partition"}}},
            {"Partition", 8, {}},
            {"NodeRecord", 5, {{4, "Registration"}, {5, "Drain"}}},
            {"Registration", 5, {{2, "Topology"}}},
            {"Topology", 2, {{1, "Core"}, {2, "NumaNode"}}},
            {"Core", 2, {}},
            {"NumaNode", 3, {}},
            {"Drain", 3, {}},
            {"JobRecord", 15, {{2, "JobRequest"}, {12, "Hold"}, {13, "Run"}, {14, "Stop"}, {15, "Ended"}}},
            {"JobRequest", 26, {{1, "Account"}, {4, "ResourceRequest"}, {10, "WarningSignal"}, {18, "ResourceLimit"}}},
            {"Account", 7, {}},
            {"ResourceRequest", 5, {}},
            {"WarningSignal", 3, {}},
            {"ResourceLimit", 3, {}},
            {"Hold", 2, {}},
            {"Run", 3, {{1, "Placement"}}},
            {"Placement", 1, {{1, "NodePlacement"}}},
            {"NodePlacement", 3, {{3, "NumaShare"}}},
            {"NumaShare", 2, {}},
            {"Stop", 2, {}},
            {"Ended", 4, {{1, "JobEnd"}, {2, "Usage"}}},
            {"JobEnd", 5, {}},
            {"Usage", 4, {}},
        },
    };
    return version;
}

const Version* find_version(std::string_view name) { return name == version_0_1().name ? &version_0_1() : nullptr; }

// What a field that is not known says, in words.
struct Label {
    std::string_view message;
    int field;
    std::string_view words;
    bool harmless = false; // whoever does not know it does the same without it
};
constexpr Label labels[] = {
    {"JobRecord", 16, "a task of an array"},
    {"JobRecord", 25, "an array"},
    {"JobRecord", 26, "dependencies"},
    {"JobRecord", 27, "a retry rule"},
    {"JobRecord", 28, "a retry rule"},
    {"Stop", 3, "a requeue"},
    {"JobRequest", 27, "an array"},
    {"JobRequest", 28, "dependencies"},
    {"JobRequest", 29, "dependencies that cancel it"},
    {"JobRequest", 30, "a retry rule"},
    {"JobRequest", 31, "a constraint"},
    {"JobRequest", 32, "a list of nodes"},
    {"JobRequest", 33, "excluded nodes"},
    {"ResourceRequest", 6, "a number of nodes"},
    {"ResourceRequest", 7, "a number of nodes"},
    {"ResourceRequest", 8, "a number of tasks for each node"},
    {"ResourceRequest", 9, "contiguous nodes"},
    {"ResourceRequest", 10, "a placement inside nodes"},
    {"NodePlacement", 4, "tasks for each node", true}, // of several nodes: see Examination::job
    {"NodePlacement", 5, "devices"},
    {"Core", 3, "dies and caches of nodes"},
    {"Core", 4, "dies and caches of nodes"},
    {"Core", 5, "dies and caches of nodes"},
    {"Core", 6, "kinds of cores"},
    {"NumaNode", 4, "kinds of memory"},
    {"Topology", 3, "distances between NUMA nodes"},
    {"Topology", 4, "devices of nodes"},
    {"Run", 4, "several nodes"},
    {"Run", 5, "several nodes"},
    {"Run", 6, "a suspension"},
    {"Run", 7, "suspensions that are over", true},
    {"NodeRecord", 6, "the classes of nodes"},
    {"NodeRecord", 7, "since when nodes are silent"},
    {"NodeRecord", 8, "why nodes are down"},
    {"NodeRecord", 9, "what must not run on nodes any more"},
    {"NodeRecord", 10, "violations of nodes"},
};

struct Unknown {
    std::string_view message;
    int field;
    auto operator<=>(const Unknown&) const = default;
};

const Label* label_of(const Unknown& unknown)
{
    const auto* found = std::ranges::find_if(labels, [&](const Label& l) { return l.message == unknown.message && l.field == unknown.field; });
    return found == std::end(labels) ? nullptr : found;
}

std::string words_for(const Unknown& unknown)
{
    const auto* label = label_of(unknown);
    return label ? std::string(label->words) : fmt::format("something newer ({} {})", unknown.message, unknown.field);
}

// All fields in a message's bytes that the version does not know.
void collect(const Version& version, std::string_view name, std::string_view bytes, std::set<Unknown>& found)
{
    const auto known = std::ranges::find(version.messages, name, &Known::message);
    CodedInputStream input(reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
    while (const auto tag = input.ReadTag()) {
        const int field = WireFormatLite::GetTagFieldNumber(tag);
        const auto inner = std::ranges::find(known->inner, field, &Inner::field);
        std::uint32_t size = 0;
        if (field > known->last)
            found.insert({known->message, field});
        if (inner == known->inner.end()) {
            if (!WireFormatLite::SkipField(&input, tag))
                return;
        } else {
            if (!input.ReadVarint32(&size))
                return;
            const auto at = static_cast<std::size_t>(input.CurrentPosition());
            if (size > bytes.size() - at)
                return;
            collect(version, inner->message, bytes.substr(at, size), found);
            input.Skip(static_cast<int>(size));
        }
    }
}

// Looks at each record of a snapshot.
class Examination {
    const Version& version_;
    Fitness fitness_;
    std::set<Unknown> lost_;
    std::string rest_;

    void obstacle(std::string text)
    {
        if (++fitness_.obstacle_count <= named_obstacles)
            fitness_.obstacles.push_back(std::move(text));
    }

    // A job that has ended is a memory only, unless it is one that stands in the way of other records.
    void job(const JobRecord& record, const std::set<Unknown>& unknown)
    {
        const auto id = record.has_task() ? fmt::format("{}_{}", record.job(), record.task()) : fmt::format("{}", record.job());
        std::set<std::string> words;
        if (record.run().placement().nodes_size() > 1 && !record.has_ended())
            words.insert("several nodes");
        for (const auto& one : unknown) {
            const auto* label = label_of(one);
            if (label && label->harmless)
                continue;
            if (record.has_ended() && !record.has_task())
                lost_.insert(one);
            else
                words.insert(words_for(one));
        }
        if (!words.empty())
            obstacle(fmt::format("job {}: {}", id, fmt::join(words, ", ")));
    }

    void take(std::string_view bytes)
    {
        std::set<Unknown> unknown;
        collect(version_, "SnapshotRecord", bytes, unknown);
        SnapshotRecord record;
        if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
            return;
        switch (record.body_case()) {
        case SnapshotRecord::kJob: return job(record.job(), unknown);
        case SnapshotRecord::kHeader: return; // settings: they are the configuration's, which is read again
        case SnapshotRecord::kNode: return lost_.insert(unknown.begin(), unknown.end());
        default: break;
        }
        for (const auto& one : unknown)
            obstacle(words_for(one));
    }

public:
    explicit Examination(const Version& version) : version_(version) {}

    void feed(std::string_view piece)
    {
        rest_.append(piece);
        std::size_t used = 0;
        for (std::uint32_t size = 0; rest_.size() - used >= 4; used += 4 + size) {
            size = 0;
            for (int i = 0; i < 4; ++i)
                size = size << 8 | static_cast<unsigned char>(rest_[used + static_cast<std::size_t>(i)]);
            if (rest_.size() - used - 4 < size)
                break;
            take(std::string_view(rest_).substr(used + 4, size));
        }
        rest_.erase(0, used);
    }

    Fitness finish()
    {
        std::set<std::string> words;
        for (const auto& one : lost_)
            words.insert(words_for(one));
        fitness_.losses.assign(words.begin(), words.end());
        return std::move(fitness_);
    }
};

} // namespace

std::vector<std::string_view> older_versions() { return {version_0_1().name}; }

Result<Fitness> fitness_for(const cluster::StoredState& state, std::string_view name)
{
    const auto* version = find_version(name);
    if (!version)
        return fail(Errc::not_found, "no snapshot can be written for version \"{}\"; versions that this one knows: {}", name,
                    fmt::join(older_versions(), ", "));
    if (current_format > version->format)
        return fail(Errc::denied, "this version stores format {}, and {} reads up to {}", current_format, name, version->format);
    Examination examination(*version);
    auto encoded = encode_snapshot(state, [&](std::string_view piece) {
        examination.feed(piece);
        return Result<void>{};
    });
    if (!encoded)
        return std::unexpected(encoded.error());
    return examination.finish();
}

} // namespace jarvis::journal
