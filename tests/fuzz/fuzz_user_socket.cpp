// Bytes as what a node's users send on its socket, and as what the controller says of their connections. What goes to the controller is
// what each user has sent, in order and within what was granted, whatever the others do.
#include "draw.hpp"
#include "local_socket.hpp"
#include "made_up_channel.hpp"
#include "require.hpp"
#include "temporary_folder.hpp"
#include "user_socket.hpp"

#include "daemon/log.hpp"
#include "wire/relay.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <unistd.h>

using namespace jarvis;
namespace asio = boost::asio;

namespace {

// A connection of a user, as the controller sees it.
struct Relayed {
    std::uint64_t room = wire::relay_window; // that the controller has granted
    std::string bytes;
    bool ended = false, closed = false;
};

class World {
    static constexpr std::size_t slots = 4;

    asio::io_context io_;
    noded::UserSocket socket_{io_, "n1"};
    std::string path_;
    Fd users_[slots];
    std::string sent_[slots];
    std::uint64_t number_[slots] = {}; // of its connection; 0: it was turned away
    std::uint64_t last_ = 0;           // connection that was opened
    std::map<std::uint64_t, Relayed> relayed_;
    std::shared_ptr<fuzz::MadeUpChannel> controller_;

    void take(std::string_view payload)
    {
        const auto message = wire::parse<wire::FromNode>(payload);
        JARVIS_REQUIRE(message && message->has_relay());
        const auto& relay = message->relay();
        if (relay.has_open()) {
            JARVIS_REQUIRE(relay.connection() > last_ && relay.open().uid() == ::geteuid());
            last_ = relay.connection();
            relayed_[last_];
        }
        const auto found = relayed_.find(relay.connection());
        JARVIS_REQUIRE(found != relayed_.end());
        auto& connection = found->second;
        JARVIS_REQUIRE(!connection.closed && (!connection.ended || relay.data().empty()));
        JARVIS_REQUIRE(relay.data().size() <= wire::relay_piece && relay.data().size() <= connection.room);
        connection.room -= relay.data().size();
        connection.bytes += relay.data();
        connection.ended |= relay.ended();
        connection.closed |= relay.closed();
    }

    // As the daemon does everything: on its loop.
    template <class Work>
    void on_loop(Work work)
    {
        asio::post(io_, std::move(work));
        poll();
    }

    void check()
    {
        for (std::size_t slot = 0; slot < slots; ++slot)
            if (const auto found = relayed_.find(number_[slot]); found != relayed_.end())
                JARVIS_REQUIRE(sent_[slot].starts_with(found->second.bytes));
    }

public:
    explicit World(std::string path) : path_(std::move(path))
    {
        on_loop([this] { JARVIS_REQUIRE_OK(socket_.listen(path_)); });
    }

    void poll()
    {
        io_.restart();
        io_.poll();
        check();
    }

    void connect_controller()
    {
        disconnect_controller();
        controller_ = std::make_shared<fuzz::MadeUpChannel>(io_.get_executor(), std::nullopt, [this](std::string_view payload) { take(payload); });
        on_loop([this] { socket_.connected(controller_); });
    }
    void disconnect_controller()
    {
        on_loop([this] { socket_.disconnected(); });
        if (controller_)
            controller_->hang_up();
        controller_.reset();
        relayed_.clear();
        poll();
    }
    void connect(std::size_t slot)
    {
        poll();
        users_[slot] = fuzz::connect_to(path_);
        sent_[slot].clear();
        number_[slot] = 0;
        const auto before = last_;
        poll();
        if (last_ != before)
            number_[slot] = last_;
    }
    void send(std::size_t slot, std::string bytes)
    {
        if (!users_[slot])
            return;
        const auto size = ::send(users_[slot].get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size > 0)
            sent_[slot] += bytes.substr(0, static_cast<std::size_t>(size));
        poll();
    }
    void read(std::size_t slot)
    {
        char part[65536];
        if (users_[slot])
            (void)!::recv(users_[slot].get(), part, sizeof part, MSG_DONTWAIT);
        poll();
    }
    void hang_up(std::size_t slot, bool half)
    {
        if (half && users_[slot])
            ::shutdown(users_[slot].get(), SHUT_WR);
        else
            users_[slot] = Fd();
        poll();
    }
    void say(const wire::Relay& message)
    {
        if (!controller_)
            return;
        if (const auto found = relayed_.find(message.connection()); found != relayed_.end()) {
            auto& room = found->second.room;
            room = std::min<std::uint64_t>(wire::relay_window, room + std::min<std::uint64_t>(message.taken(), wire::relay_window));
            if (message.closed())
                found->second.room = 0; // nothing may follow
        }
        on_loop([&] { socket_.take(message); });
    }
    std::uint64_t number(std::size_t slot) const { return number_[slot]; }
    void end()
    {
        on_loop([this] { socket_.stop(); });
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::TemporaryFolder folder;
    static const bool quiet = daemon::open_log({.program = "fuzz", .file = "/dev/null", .level = daemon::LogLevel::error}).has_value();
    JARVIS_REQUIRE(quiet);
    World world(folder.path() + "/user.sock");
    for (fuzz::Draw draw(data, size); !draw.done();) {
        const auto what = draw.below(16);
        const auto slot = draw.below(4);
        if (what < 3) {
            world.connect(slot);
        } else if (what < 6) {
            world.send(slot, std::string(draw.text()));
        } else if (what < 8) {
            world.send(slot, std::string((1 + draw.byte()) * std::size_t{512}, 'x'));
        } else if (what == 8) {
            world.read(slot);
        } else if (what == 9) {
            world.hang_up(slot, draw.flag());
        } else if (what == 10) {
            world.disconnect_controller();
        } else if (what == 11) {
            world.connect_controller();
        } else {
            wire::Relay message;
            if (draw.rarely(8)) {
                (void)message.ParseFromString(std::string(draw.text()));
            } else {
                message.set_connection(draw.rarely(4) ? draw.below(5) : world.number(slot));
                message.set_taken(draw.pick<std::uint64_t>({0, 1, 1000, wire::relay_window, ~std::uint64_t{0}}));
                if (draw.flag())
                    message.set_data(std::string((1 + draw.byte()) * std::size_t{1024}, 'y'));
                message.set_closed(draw.rarely(8));
            }
            world.say(message);
        }
    }
    world.end();
    return 0;
}
