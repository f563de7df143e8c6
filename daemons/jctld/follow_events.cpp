#include "follow_events.hpp"

#include "cluster/authorize.hpp"
#include "daemon/off_loop.hpp"
#include "event_view.hpp"
#include "journal/codec.hpp"
#include "wire/limits.hpp"

namespace jarvis::jctld {

namespace {

constexpr std::size_t groups_of_a_page = 256;
// In the silence between events, so that a reader knows that the controller is there.
constexpr auto sign_of_life = std::chrono::seconds(10);

struct Naming {
    Duration wall_offset{};
    NodeBriefs nodes;
};

Result<std::vector<FeedItemPtr>> read_groups(plugin::Storage& storage, SequenceNumber from, SequenceNumber before, Duration wall_offset)
{
    std::vector<FeedItemPtr> items;
    Result<void> decoded;
    auto read = storage.read(from, [&](SequenceNumber sequence, std::string_view bytes) {
        if (sequence >= before || items.size() >= groups_of_a_page)
            return false;
        auto group = journal::decode_group(bytes);
        if (!group) {
            decoded = std::unexpected(group.error());
            return false;
        }
        items.push_back(std::make_shared<const FeedItem>(FeedItem{std::move(*group), wall_offset}));
        return true;
    });
    if (!read)
        return std::unexpected(read.error());
    if (!decoded)
        return std::unexpected(decoded.error());
    if (items.empty())
        return fail(Errc::corrupt, "group {} is missing", from);
    return items;
}

asio::awaitable<Result<Naming>> current_naming(Front& front)
{
    auto look = [](const Replica& replica) { return Naming{replica.state().wall_offset, replica.briefs()}; };
    co_return co_await front.ask(std::move(look));
}

// Of groups before the first one in memory.
asio::awaitable<Result<std::vector<FeedItemPtr>>> from_journal(Front& front, SequenceNumber from, SequenceNumber before, Duration wall_offset)
{
    auto& store = front.parts().store;
    auto work = [&store, from, before, wall_offset] {
        return store.use([&](plugin::Storage& storage) { return read_groups(storage, from, before, wall_offset); });
    };
    co_return co_await daemon::off_loop(front.parts().history_pool, work);
}

// What is sent, in parts of about the size that a long reply has.
std::vector<wire::Reply> replies_of(const std::vector<FeedItemPtr>& items, const std::vector<NodeBrief>& nodes, std::uint64_t tag)
{
    std::vector<wire::Reply> replies;
    std::size_t size = wire::limits::reply_part;
    for (const auto& item : items) {
        if (size > wire::limits::reply_part / 2) {
            replies.emplace_back().set_tag(tag);
            replies.back().set_more(true);
            size = 0;
        }
        auto& view = *replies.back().mutable_events()->add_groups();
        view = event_group_view(item->group, item->wall_offset, nodes);
        size += view.ByteSizeLong();
        replies.back().set_sequence(item->group.sequence.value);
    }
    return replies;
}

wire::Reply empty_reply(std::uint64_t tag, SequenceNumber last, bool more)
{
    wire::Reply reply;
    reply.set_tag(tag);
    reply.set_sequence(last.value);
    reply.set_more(more);
    (void)reply.mutable_events();
    return reply;
}

// Where the reading begins.
Result<SequenceNumber> first_group(const wire::ReadEvents& asked, SequenceNumber last)
{
    if (!asked.has_from())
        return SequenceNumber{last.value >= asked.last() ? last.value - asked.last() + 1 : 1};
    if (asked.from() == 0 || asked.from() > last.value + 1)
        return fail(Errc::invalid, "there is no group {}; the newest is {}, and the next will be {}", asked.from(), last, last.value + 1);
    return SequenceNumber{asked.from()};
}

} // namespace

asio::awaitable<Result<void>> follow_events(Front& front, wire::ChannelPtr channel, cluster::Caller caller, wire::Request request)
{
    if (auto may = cluster::may_read_events(caller); !may)
        co_return may;
    const auto& asked = request.read_events();
    auto& feed = front.parts().feed;
    const auto last = feed.last();
    auto first = first_group(asked, last);
    if (!first)
        co_return std::unexpected(first.error());
    bool named = asked.has_from(); // else it may begin later where the journal does
    auto next = *first;
    while (asked.follow() || next <= last) {
        EventFeed::Waiter waiter(feed);
        auto part = feed.from(next, groups_of_a_page);
        if (part.items.empty() && next >= part.first) {
            co_await waiter.wait(sign_of_life);
            const auto silence = empty_reply(request.tag(), SequenceNumber{next.value - 1}, true);
            if (feed.last() < next)
                if (auto sent = co_await channel->send_when_room(silence.SerializeAsString()); !sent)
                    co_return Result<void>{};
            continue;
        }
        // Nodes keep their numbers and names; the newest of both are good for older groups.
        const auto naming = co_await current_naming(front);
        if (!naming)
            co_return std::unexpected(naming.error());
        if (next < part.first) {
            auto read = co_await from_journal(front, next, part.first, naming->wall_offset);
            if (!read && read.error().code == Errc::not_found && !named) {
                named = true;
                next = part.first;
                continue;
            }
            if (!read && read.error().code == Errc::not_found)
                co_return fail(Errc::invalid, "the events from group {} on cannot be told: {}", next, read.error().message);
            if (!read)
                co_return std::unexpected(read.error());
            part.items = std::move(*read);
        }
        named = true;
        next = SequenceNumber{part.items.back()->group.sequence.value + 1};
        for (const auto& reply : replies_of(part.items, *naming->nodes, request.tag()))
            if (auto sent = co_await channel->send_when_room(reply.SerializeAsString()); !sent)
                co_return Result<void>{};
    }
    (void)co_await channel->send_when_room(empty_reply(request.tag(), SequenceNumber{next.value - 1}, false).SerializeAsString());
    co_return Result<void>{};
}

} // namespace jarvis::jctld
