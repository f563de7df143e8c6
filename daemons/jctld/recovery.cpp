#include "recovery.hpp"

#include "cluster/apply.hpp"
#include "daemon/log.hpp"
#include "journal/codec.hpp"

#include <algorithm>
#include <future>
#include <span>

namespace jarvis::jctld {

namespace {

Result<cluster::State> read_snapshot(plugin::Storage& storage, SequenceNumber sequence)
{
    journal::SnapshotReader reader;
    Result<void> fed;
    auto read = storage.read_snapshot(sequence, [&](std::string_view piece) {
        fed = reader.feed(piece);
        return fed.has_value();
    });
    if (!fed)
        return std::unexpected(fed.error());
    if (!read)
        return std::unexpected(read.error());
    return reader.finish();
}

// A group is applied event by event, since an event may refer to one before it in the same group.
Result<void> apply_checked(cluster::State& state, const cluster::EventGroup& group, EndedCollector& ended)
{
    if (group.sequence.value != state.sequence.value + 1)
        return fail(Errc::corrupt, "journal group {} follows group {}", group.sequence, state.sequence);
    for (const auto& event : group.events) {
        if (auto checked = journal::check_event(state, event); !checked)
            return fail(checked.error(), "journal group {}", group.sequence);
        ended.before(state, event, group.at);
        cluster::apply(state, event, group.at);
        ended.after(state, event);
    }
    state.sequence = group.sequence;
    return {};
}

using TakeGroup = std::function<Result<void>(cluster::EventGroup)>;

// Hands groups on in their order. Decoding a group takes about as long as applying it, so another thread decodes the next ones
// meanwhile.
class GroupDecoder {
    static constexpr std::size_t worth_a_thread = std::size_t{256} << 10; // bytes
    using Decoded = std::vector<Result<cluster::EventGroup>>;

    const TakeGroup& take_;
    std::vector<std::string> read_;
    std::size_t size_ = 0; // of these, in bytes
    std::future<Decoded> decoding_;

    static Decoded decode(const std::vector<std::string>& groups)
    {
        Decoded decoded;
        decoded.reserve(groups.size());
        for (const auto& bytes : groups)
            decoded.push_back(journal::decode_group(bytes));
        return decoded;
    }

    // What was read is decoded from now on, and what was decoded is taken.
    Result<void> turn()
    {
        auto decoded = decoding_.valid() ? decoding_.get() : Decoded();
        size_ = 0;
        // Either policy: without a thread it is done when it is asked for.
        decoding_ = std::async(std::launch::async | std::launch::deferred, decode, std::exchange(read_, {}));
        for (auto& group : decoded) {
            if (!group)
                return std::unexpected(std::move(group.error()));
            ++count;
            if (auto taken = take_(std::move(*group)); !taken)
                return taken;
        }
        return {};
    }

public:
    std::uint64_t count = 0; // groups that were handed on

    explicit GroupDecoder(const TakeGroup& take) : take_(take) {}

    Result<void> add(std::string_view bytes)
    {
        read_.emplace_back(bytes);
        size_ += bytes.size();
        return size_ < worth_a_thread ? Result<void>{} : turn();
    }

    Result<void> finish()
    {
        auto last_but_one = turn();
        return last_but_one ? turn() : last_but_one;
    }
};

Result<std::uint64_t> read_groups(Store& store, SequenceNumber from, const TakeGroup& take)
{
    GroupDecoder decoder(take);
    Result<void> taken;
    auto read = store.use([&](plugin::Storage& storage) {
        return storage.read(from, [&](SequenceNumber, std::string_view bytes) {
            taken = decoder.add(bytes);
            return taken.has_value();
        });
    });
    if (taken && read)
        taken = decoder.finish();
    if (!taken)
        return std::unexpected(taken.error());
    if (!read)
        return std::unexpected(read.error());
    return decoder.count;
}

// From the first of these snapshots that can be read, or from the beginning.
Result<Recovered> recover_from(Store& store, std::span<const plugin::SnapshotInfo> snapshots, const AfterGroup& after_group)
{
    Recovered recovered;
    for (const auto& info : snapshots) {
        auto state = store.use([&](plugin::Storage& storage) { return read_snapshot(storage, info.sequence); });
        if (state) {
            recovered.state = std::move(*state);
            recovered.snapshot = info.sequence;
            break;
        }
        daemon::log().error("snapshot {} cannot be used: {}; trying an older one", info.sequence, state.error().message);
    }
    auto groups = read_groups(store, SequenceNumber{recovered.state.sequence.value + 1}, [&](cluster::EventGroup group) {
        EndedCollector ended;
        recovered.events += group.events.size();
        auto applied = apply_checked(recovered.state, group, ended);
        if (applied && after_group)
            after_group(recovered.state, ended.take(group.sequence));
        return applied;
    });
    if (!groups)
        return std::unexpected(groups.error());
    recovered.groups = *groups;
    return recovered;
}

} // namespace

Result<Recovered> recover_state(Store& store, std::optional<SequenceNumber> history, const AfterGroup& after_group)
{
    auto snapshots = store.use([](plugin::Storage& storage) { return storage.snapshots(); });
    if (!snapshots)
        return std::unexpected(snapshots.error());
    const auto older = std::find_if(snapshots->begin(), snapshots->end(), [&](const auto& s) { return !history || s.sequence <= *history; });
    if (older != snapshots->begin()) {
        auto recovered = recover_from(store, std::span(older, snapshots->end()), after_group);
        if (recovered)
            return recovered;
        daemon::log().error("the accounting history has only what ended up to group {}, and the journal does not reach back so far: {}",
                            *history, recovered.error().message);
    }
    return recover_from(store, *snapshots, after_group);
}

Result<std::uint64_t> replay(Store& store, SequenceNumber from, const cluster::State& state,
                             const std::function<void(cluster::EventGroup)>& take)
{
    auto scratch = state;
    return read_groups(store, from, [&](cluster::EventGroup group) -> Result<void> {
        EndedCollector ignored; // whoever takes the group sees to its ends
        if (auto applied = apply_checked(scratch, group, ignored); !applied)
            return applied;
        take(std::move(group));
        return {};
    });
}

} // namespace jarvis::jctld
