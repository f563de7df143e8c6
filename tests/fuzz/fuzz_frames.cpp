// Bytes from a socket: cut into frames, parsed as every message that a peer may send, and converted to values.
// The first byte says which message, the second how the stream arrives.
#include "client.pb.h"
#include "node.pb.h"
#include "require.hpp"
#include "shepherd.pb.h"
#include "wire/convert.hpp"
#include "wire/frame.hpp"
#include "wire/hello.hpp"

#include <cstdint>
#include <vector>

using namespace jarvis;

namespace {

constexpr std::size_t max_payload = 1 << 16;

// What converts must convert back to the same value.
template <class Message>
void check_conversion(const Message& message)
{
    if (auto value = wire::from_message(message)) {
        auto again = wire::from_message(wire::to_message(*value));
        JARVIS_REQUIRE(again && *again == *value);
    }
}

template <class Message>
void parse_as(std::string_view payload)
{
    if (auto message = wire::parse<Message>(payload))
        check_conversion(*message);
}

void parse_request(std::string_view payload)
{
    auto request = wire::parse<wire::Request>(payload);
    if (!request || request->body_case() != wire::Request::kSubmit)
        return;
    if (auto submitted = wire::submitted_request(request->submit().job())) {
        auto again = wire::submitted_request(wire::to_submit_message(*submitted));
        JARVIS_REQUIRE(again && again->request == submitted->request && again->requeue == submitted->requeue);
    }
}

void parse_hello(std::string_view payload)
{
    if (auto hello = wire::parse<wire::Hello>(payload)) {
        (void)wire::check_hello(*hello, {}, "the peer");
        (void)wire::clock_skew(*hello, WallTime{}, "the peer");
    }
}

void parse_payload(unsigned which, std::string_view payload)
{
    switch (which % 8) {
    case 0: parse_request(payload); break;
    case 1: parse_hello(payload); break;
    case 2: parse_as<wire::JobRequest>(payload); break;
    case 3: parse_as<wire::Topology>(payload); break;
    case 4: parse_as<wire::Placement>(payload); break;
    case 5: parse_as<wire::JobEnd>(payload); break;
    case 6: (void)wire::parse<wire::FromNode>(payload); break;
    default: (void)wire::parse<wire::ToLauncher>(payload); break;
    }
}

// All frames of a stream that arrives in pieces of this size (0: whole), with "!" at the end if it failed.
std::vector<std::string> frames(std::string_view stream, std::size_t piece)
{
    wire::FrameReader reader(max_payload);
    std::vector<std::string> found;
    auto take = [&] {
        while (true) {
            auto frame = reader.next();
            if (!frame) {
                found.push_back("!");
                return false;
            }
            if (!*frame)
                return true;
            JARVIS_REQUIRE((*frame)->size() <= max_payload);
            found.push_back(std::move(**frame));
        }
    };
    if (piece == 0)
        piece = stream.size() + 1;
    while (!stream.empty()) {
        reader.feed(stream.substr(0, piece));
        stream.remove_prefix(std::min(piece, stream.size()));
        if (!take())
            break;
    }
    return found;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 2)
        return 0;
    const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);
    const auto whole = frames(stream, 0);
    // How a stream was cut on its way changes nothing.
    JARVIS_REQUIRE(whole == frames(stream, 1 + data[1] % 7));
    for (const auto& payload : whole)
        parse_payload(data[0], payload);
    parse_payload(data[0], stream);
    return 0;
}
