#include "wire/frame.hpp"

#include "common.pb.h"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <random>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(frame)

BOOST_AUTO_TEST_CASE(frames_come_out_however_the_bytes_are_cut)
{
    std::vector<std::string> payloads{"", "a", std::string(300, 'b'), "", std::string(100'000, 'c'), "end"};
    std::string stream;
    for (const auto& payload : payloads)
        wire::append_frame(stream, payload);
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        wire::FrameReader reader(100'000);
        std::vector<std::string> got;
        std::string_view left = stream;
        while (!left.empty()) {
            auto n = std::min<std::size_t>(left.size(), 1 + random() % (round % 2 ? 7 : 40'000));
            reader.feed(left.substr(0, n));
            left.remove_prefix(n);
            while (auto frame = reader.next().value())
                got.push_back(std::move(*frame));
        }
        BOOST_REQUIRE(got == payloads);
        BOOST_TEST(reader.at_boundary());
    }
}

BOOST_AUTO_TEST_CASE(length_is_big_endian)
{
    std::string out;
    wire::append_frame(out, std::string(0x0102, 'x'));
    BOOST_TEST(out.substr(0, 4) == std::string("\0\0\1\2", 4));
}

BOOST_AUTO_TEST_CASE(oversized_frame_is_refused_by_its_header)
{
    wire::FrameReader reader(10);
    std::string stream;
    wire::append_frame(stream, "first");
    reader.feed(stream + std::string("\0\0\0\x0b", 4));
    auto first = reader.next();
    BOOST_REQUIRE(first.has_value());
    BOOST_TEST(**first == "first");
    auto second = reader.next();
    BOOST_REQUIRE(!second.has_value());
    BOOST_TEST((second.error().code == Errc::corrupt));
    BOOST_TEST(second.error().message == "a message of 11 bytes was announced; at most 10 are taken");
    reader.feed(stream);
    BOOST_TEST(!reader.next().has_value());
}

BOOST_AUTO_TEST_CASE(text_protocols_are_refused_at_once)
{
    // "GET " read as a length is 1.2 GB; nothing like that may be allocated.
    wire::FrameReader reader(wire::limits::default_frame);
    reader.feed("GET / HTTP/1.1\r\n");
    BOOST_TEST(!reader.next().has_value());
}

BOOST_AUTO_TEST_CASE(stream_cut_in_a_frame_is_noticed)
{
    std::string stream;
    wire::append_frame(stream, "payload");
    for (std::size_t n = 1; n < stream.size(); ++n) {
        wire::FrameReader reader(100);
        reader.feed(std::string_view(stream).substr(0, n));
        BOOST_TEST(!reader.next().value().has_value());
        BOOST_TEST(!reader.at_boundary());
    }
}

BOOST_AUTO_TEST_CASE(maximum_changes_between_frames)
{
    wire::FrameReader reader(3);
    std::string stream;
    wire::append_frame(stream, "abc");
    wire::append_frame(stream, "longer");
    wire::append_frame(stream, "no");
    reader.feed(stream); // as one piece: the maximum of the moment when a frame is taken counts
    BOOST_TEST(**reader.next() == "abc");
    reader.set_max_payload(100);
    BOOST_TEST(**reader.next() == "longer");
    reader.set_max_payload(1);
    BOOST_TEST(!reader.next().has_value());
}

BOOST_AUTO_TEST_CASE(frames_wait_for_their_turn_in_any_number)
{
    // Fed far ahead of what is taken, big and small ones mixed.
    wire::FrameReader reader(1 << 20);
    std::mt19937 random(3);
    std::deque<std::string> sent;
    for (int round = 0; round < 2'000; ++round) {
        sent.emplace_back(round % 97 ? random() % 500 : 300'000, static_cast<char>('a' + round % 26));
        std::string stream;
        wire::append_frame(stream, sent.back());
        reader.feed(stream);
        if (round % 3)
            continue;
        BOOST_REQUIRE(**reader.next() == sent.front());
        sent.pop_front();
    }
    for (; !sent.empty(); sent.pop_front())
        BOOST_REQUIRE(**reader.next() == sent.front());
    BOOST_TEST(!reader.next().value().has_value());
    BOOST_TEST(reader.at_boundary());
}

BOOST_AUTO_TEST_CASE(garbage_is_no_message)
{
    auto hello = wire::parse<wire::Hello>("\xff\xff\xff\xff\xff");
    BOOST_REQUIRE(!hello.has_value());
    BOOST_TEST(hello.error().message == "5 bytes that are no jarvis.wire.Hello");
    BOOST_TEST(wire::parse<wire::Hello>("").has_value()); // every field absent

    // Whatever arrives, parsing returns.
    std::mt19937 random(2);
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes(random() % 60, '\0');
        for (auto& byte : bytes)
            byte = static_cast<char>(random());
        (void)wire::parse<wire::JobRequest>(bytes);
    }
}

BOOST_AUTO_TEST_SUITE_END()
