#include "splice.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace jarvis::noded {
namespace {

asio::awaitable<void> pass_on(wire::ChannelPtr from, wire::ChannelPtr to)
{
    while (true) {
        auto frame = co_await from->read_frame();
        if (!frame || !*frame)
            break;
        if (auto sent = co_await to->send_when_room(std::move(**frame)); !sent)
            break;
    }
    (void)co_await to->flush();
}

} // namespace

asio::awaitable<void> splice(wire::ChannelPtr one, wire::ChannelPtr other)
{
    using namespace asio::experimental::awaitable_operators;
    co_await (pass_on(one, other) || pass_on(other, one));
    one->close();
    other->close();
}

} // namespace jarvis::noded
