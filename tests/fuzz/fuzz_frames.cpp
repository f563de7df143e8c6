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

// Whatever a change or question names.
void parse_filter(const wire::JobFilter& filter)
{
    for (const auto& selection : filter.selections())
        check_conversion(selection);
    for (auto state : filter.states())
        (void)wire::job_state_from(state);
}

void parse_request(std::string_view payload)
{
    auto request = wire::parse<wire::Request>(payload);
    if (!request)
        return;
    for (const auto* filter : {&request->query_jobs().filter(), &request->change_jobs().filter(), &request->query_history().filter()})
        parse_filter(*filter);
    if (!request->has_submit())
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

void parse_ended(const wire::Ended& ended)
{
    (void)wire::job_id_of(ended);
    check_conversion(ended.end());
    check_conversion(ended.usage());
}

void parse_from_node(std::string_view payload)
{
    const auto message = wire::parse<wire::FromNode>(payload);
    if (!message)
        return;
    check_conversion(message->register_().topology());
    for (const auto* report : {&message->report(), &message->register_().report()}) {
        for (const auto& running : report->running())
            (void)wire::job_id_of(running);
        for (const auto& ended : report->ended())
            parse_ended(ended);
    }
    parse_ended(message->ended());
    (void)wire::job_id_of(message->prepared());
}

void parse_to_node(std::string_view payload)
{
    const auto message = wire::parse<wire::ToNode>(payload);
    if (!message)
        return;
    const auto& start = message->start();
    check_conversion(start.request());
    check_conversion(start.placement());
    if (auto variables = wire::from_message(start.environment()))
        JARVIS_REQUIRE(wire::from_message(wire::environment_message(*variables)) == *variables);
    (void)wire::job_id_of(start);
}

void parse_reply(std::string_view payload)
{
    const auto reply = wire::parse<wire::Reply>(payload);
    if (!reply)
        return;
    const auto error = wire::from_message(reply->error());
    JARVIS_REQUIRE(error.message.size() <= wire::limits::message && wire::from_message(wire::to_message(error)) == error);
    for (const auto& detail : reply->jobs().details())
        check_conversion(detail.request());
    for (const auto& node : reply->nodes().nodes())
        check_conversion(node.topology());
    for (const auto& item : reply->change().items())
        check_conversion(item.tasks());
}

void parse_payload(unsigned which, std::string_view payload)
{
    switch (which % 16) {
    case 0: parse_request(payload); break;
    case 1: parse_hello(payload); break;
    case 2: parse_as<wire::JobRequest>(payload); break;
    case 3: parse_as<wire::Topology>(payload); break;
    case 4: parse_as<wire::Placement>(payload); break;
    case 5: parse_as<wire::JobEnd>(payload); break;
    case 6: parse_from_node(payload); break;
    case 7: (void)wire::parse<wire::ToLauncher>(payload); break;
    case 8: parse_to_node(payload); break;
    case 9: parse_reply(payload); break;
    case 10: (void)wire::parse<wire::FromLauncher>(payload); break;
    case 11: parse_as<wire::Dependencies>(payload); break;
    case 12: parse_as<wire::ArraySpec>(payload); break;
    case 13: parse_as<wire::RetryRule>(payload); break;
    case 14: parse_as<wire::Usage>(payload); break;
    default: (void)wire::parse<wire::Relay>(payload); break;
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
