#include "wire/relay.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis::wire;

namespace {

// What leaves until nothing more may.
std::vector<Relay> drain(RelaySender& sender)
{
    std::vector<Relay> messages;
    while (auto message = sender.next())
        messages.push_back(std::move(*message));
    return messages;
}

std::string data_of(const std::vector<Relay>& messages, std::uint64_t connection)
{
    std::string data;
    for (const auto& message : messages)
        if (message.connection() == connection)
            data += message.data();
    return data;
}

} // namespace

BOOST_AUTO_TEST_SUITE(relay)

BOOST_AUTO_TEST_CASE(a_connection_is_opened_with_its_first_bytes)
{
    RelaySender sender;
    RelayOpen open;
    open.set_uid(1000);
    sender.add(7, open);
    sender.send(7, "hello");
    const auto messages = drain(sender);
    BOOST_REQUIRE_EQUAL(messages.size(), 1u);
    BOOST_TEST(messages[0].connection() == 7u);
    BOOST_TEST(messages[0].open().uid() == 1000u);
    BOOST_TEST(messages[0].data() == "hello");
    BOOST_TEST(!messages[0].ended());
    sender.send(7, "more");
    BOOST_TEST(!drain(sender).at(0).has_open());
}

BOOST_AUTO_TEST_CASE(a_stream_comes_out_in_pieces_and_whole)
{
    RelaySender sender;
    sender.add(1);
    std::string text;
    for (std::size_t i = 0; i < relay_window; ++i)
        text += static_cast<char>('a' + i * i % 23);
    sender.send(1, std::string_view(text).substr(0, 100));
    sender.send(1, std::string_view(text).substr(100));
    const auto messages = drain(sender);
    BOOST_TEST(data_of(messages, 1) == text);
    for (const auto& message : messages)
        BOOST_TEST(message.data().size() <= relay_piece);
    BOOST_TEST(sender.queued(1) == 0u);
}

BOOST_AUTO_TEST_CASE(no_more_leaves_than_the_other_side_has_room_for)
{
    RelaySender sender;
    sender.add(1);
    sender.send(1, std::string(relay_window + 1000, 'x'));
    BOOST_TEST(data_of(drain(sender), 1).size() == relay_window);
    BOOST_TEST(sender.queued(1) == 1000u);
    BOOST_TEST(drain(sender).empty());
    sender.grant(1, 400);
    BOOST_TEST(data_of(drain(sender), 1).size() == 400u);
    sender.grant(1, 1'000'000'000); // a peer that grants more than it ever took gains nothing
    BOOST_TEST(data_of(drain(sender), 1).size() == 600u);
    sender.send(1, std::string(2 * relay_window, 'y'));
    BOOST_TEST(data_of(drain(sender), 1).size() == relay_window - 600);
}

// One that stalls holds up nobody else, and of two that do not neither waits for the other's end.
BOOST_AUTO_TEST_CASE(streams_take_turns)
{
    RelaySender sender;
    for (std::uint64_t connection : {1, 2, 3})
        sender.add(connection);
    sender.send(1, std::string(relay_window, 'x'));
    drain(sender);
    sender.send(1, "stalled");
    sender.send(2, std::string(3 * relay_piece, 'y'));
    sender.send(3, std::string(2 * relay_piece, 'z'));
    std::string order;
    for (const auto& message : drain(sender))
        order += std::to_string(message.connection());
    BOOST_TEST(order == "23232");
}

BOOST_AUTO_TEST_CASE(what_was_taken_is_granted_in_portions)
{
    RelaySender sender;
    sender.add(1);
    sender.taken(1, 10);
    BOOST_TEST(drain(sender).empty());
    sender.taken(1, relay_window / 4 - 10);
    auto messages = drain(sender);
    BOOST_REQUIRE_EQUAL(messages.size(), 1u);
    BOOST_TEST(messages[0].taken() == relay_window / 4);
    sender.taken(1, 5);
    sender.send(1, "x"); // takes it along
    messages = drain(sender);
    BOOST_REQUIRE_EQUAL(messages.size(), 1u);
    BOOST_TEST(messages[0].taken() == 5u);
}

BOOST_AUTO_TEST_CASE(the_end_follows_the_last_byte)
{
    RelaySender sender;
    sender.add(1);
    sender.send(1, std::string(relay_window + 1, 'x'));
    sender.end(1);
    for (const auto& message : drain(sender))
        BOOST_TEST(!message.ended());
    sender.grant(1, 1);
    const auto last = drain(sender);
    BOOST_REQUIRE_EQUAL(last.size(), 1u);
    BOOST_TEST(last[0].ended());
    BOOST_TEST(!last[0].closed());
    sender.send(1, "too late");
    BOOST_TEST(drain(sender).empty());
    sender.add(2);
    sender.end(2); // without any byte
    BOOST_TEST(drain(sender).at(0).ended());
}

BOOST_AUTO_TEST_CASE(closing_drops_what_waits_and_is_told_once)
{
    RelaySender sender;
    sender.add(1);
    sender.send(1, std::string(relay_window + 1, 'x'));
    drain(sender);
    sender.close(1);
    const auto messages = drain(sender);
    BOOST_REQUIRE_EQUAL(messages.size(), 1u);
    BOOST_TEST(messages[0].closed());
    BOOST_TEST(messages[0].data().empty());
    sender.close(1);
    sender.send(1, "x");
    sender.grant(1, 1);
    sender.taken(1, relay_window);
    BOOST_TEST(drain(sender).empty());
}

BOOST_AUTO_TEST_CASE(what_the_other_side_has_closed_is_silent)
{
    RelaySender sender;
    sender.add(1);
    sender.send(1, "x");
    sender.forget(1);
    BOOST_TEST(drain(sender).empty());
    BOOST_TEST(sender.queued(1) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
