#include "cluster/state.hpp"

namespace jarvis::cluster {

namespace {

bool same_requests(const std::shared_ptr<const JobRequest>& a, const std::shared_ptr<const JobRequest>& b)
{
    return a == b || (a && b && *a == *b);
}

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): the same in every run, as is the order that it gives. Names that were chosen
// to collide are as slow as names that are compared, and no slower.
std::uint32_t hash_of_name(std::string_view name)
{
    std::uint32_t hash = 2166136261;
    for (const unsigned char c : name)
        hash = (hash ^ c) * 16777619;
    return hash;
}

} // namespace

NamedJob::NamedJob(const Job& job)
    : request(job.request.get()), number(job.id.number()), uid(request->account->uid), hash(hash_of_name(request->name))
{
}

bool operator==(const NamedJob& a, const NamedJob& b)
{
    return a.number == b.number && ByName::name_of(a) == ByName::name_of(b);
}

bool ByName::operator()(const NamedJob& a, const NamedJob& b) const
{
    if (a.uid != b.uid || a.hash != b.hash)
        return std::tuple(a.uid, a.hash) < std::tuple(b.uid, b.hash);
    const auto order = a.request == b.request ? std::strong_ordering::equal : a.request->name <=> b.request->name;
    return order == 0 ? a.number < b.number : order < 0;
}

std::optional<JobId> State::first_of_name(std::uint32_t uid, std::string_view name_of_job) const
{
    const ByName::Name wanted{uid, hash_of_name(name_of_job), name_of_job};
    const auto first = index.names.lower_bound(wanted);
    return first != index.names.end() && ByName::name_of(*first) == wanted ? std::optional(first->id()) : std::nullopt;
}

bool operator==(const Job& a, const Job& b)
{
    return a.id == b.id && same_requests(a.request, b.request) && a.request_id == b.request_id && a.digest == b.digest &&
           a.priority == b.priority && a.submitted == b.submitted && a.submitted_wall == b.submitted_wall && a.state == b.state &&
           a.incarnation == b.incarnation && a.waits_for_begin == b.waits_for_begin && a.failed_attempts == b.failed_attempts &&
           a.not_before == b.not_before && a.waits == b.waits && a.hold == b.hold && a.run == b.run && a.stop == b.stop &&
           a.ended == b.ended;
}

bool operator==(const State& a, const State& b)
{
    const bool values = a.uuid == b.uuid && a.name == b.name && a.epoch == b.epoch && a.sequence == b.sequence &&
                        a.now == b.now && a.clock == b.clock && a.wall_offset == b.wall_offset && a.settings == b.settings &&
                        a.next_job == b.next_job && a.arrays == b.arrays && a.nodes == b.nodes && a.index == b.index;
    return values && std::equal(a.jobs.begin(), a.jobs.end(), b.jobs.begin(), b.jobs.end(), [](const auto& x, const auto& y) {
               return x.first == y.first && (x.second == y.second || *x.second == *y.second);
           });
}

NodeReason reason_of(const Node& node)
{
    if (node.down)
        return {node.down->reason, node.down->by, node.down->since};
    if (node.drain)
        return {node.drain->reason, node.drain->by, node.drain->since};
    if (node.connected && !node.condemned.empty())
        return {fmt::format("what is over still runs there: job {}{}", node.condemned.begin()->first.job,
                            node.condemned.size() == 1 ? "" : fmt::format(" and {} more", node.condemned.size() - 1)), {}, {}};
    if (!node.declared)
        return {"it is no longer in the configuration", {}, {}};
    if (!node.registration)
        return {"it has never registered", {}, {}};
    if (!node.shortfall.empty())
        return {node.shortfall, {}, {}};
    return {};
}

std::string_view state_name(const Node& node)
{
    if (!node.registration || !node.declared || node.down)
        return "down";
    if (!node.connected)
        return "unreachable";
    if (!node.condemned.empty())
        return "down";
    if (node.drain || !node.shortfall.empty())
        return node.jobs.empty() ? "drained" : "draining";
    if (node.jobs.empty())
        return "idle";
    return node.free.cores.empty() ? "allocated" : "mixed";
}

} // namespace jarvis::cluster
