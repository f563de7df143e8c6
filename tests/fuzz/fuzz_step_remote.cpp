// Bytes as what an agent on another node of a step says to jrun, after what jrun did: each piece is a message (made of the input or the
// bytes themselves), input of a task, or the end of the connection. A task ends once, and of one that has not there is word.
#include "draw.hpp"
#include "local_socket.hpp"
#include "require.hpp"
#include "temporary_folder.hpp"

#include "client/step_remote.hpp"

#include <fcntl.h>
#include <limits>
#include <poll.h>
#include <unistd.h>

using namespace jarvis;

namespace {

constexpr std::uint32_t tasks = 3;
constexpr std::size_t window = std::size_t{256} << 10; // of a task's input

// The node daemon's socket: the other end of a FrameLink.
class Listener {
    std::string path_;
    Fd socket_;

public:
    explicit Listener(std::string path) : path_(std::move(path)), socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const auto address = wire::unix_address(path_);
        JARVIS_REQUIRE(address);
        JARVIS_REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address->address), address->length) == 0);
        JARVIS_REQUIRE(::listen(socket_.get(), 4) == 0);
    }
    const std::string& path() const { return path_; }
    Fd accept() const { return Fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
};

class World {
    client::Sink output_, errors_;
    Fd input_[2]; // of task 0: what it reads, and where that is put in
    Fd agent_;    // the other end
    client::StepRemote remote_;
    wire::FrameReader heard_{std::size_t{4} << 20}; // by the agent
    std::size_t sent_input_ = 0, taken_input_ = 0;
    bool said_bytes_ = false; // which may have been anything
    std::set<std::uint32_t> left_{0, 1, 2};

    static client::FrameLink connect(const Listener& listener)
    {
        auto link = client::FrameLink::connect(listener.path());
        JARVIS_REQUIRE_OK(link);
        return std::move(*link);
    }

    // What jrun says is what an agent understands.
    void hear()
    {
        char part[65536];
        for (ssize_t size = 0; agent_ && (size = ::recv(agent_.get(), part, sizeof part, MSG_DONTWAIT)) > 0;)
            heard_.feed({part, static_cast<std::size_t>(size)});
        while (true) {
            const auto frame = heard_.next();
            JARVIS_REQUIRE_OK(frame);
            if (!*frame)
                return;
            const auto message = wire::parse<wire::ToAgent>(**frame);
            JARVIS_REQUIRE_OK(message);
            if (message->has_input()) {
                JARVIS_REQUIRE(message->input().rank() == 0);
                sent_input_ += message->input().data().size();
            }
            if (message->has_shut())
                JARVIS_REQUIRE(message->shut().rank() < tasks && (message->shut().stream() == 1 || message->shut().stream() == 2));
        }
    }

    void put(std::string_view bytes)
    {
        if (agent_)
            (void)fuzz::send_now(agent_, bytes);
        handle();
    }

    void handle()
    {
        std::vector<pollfd> waits;
        remote_.add_to(waits);
        ::poll(waits.data(), waits.size(), 0);
        const auto own = remote_.handle(waits.data(), [this](std::uint32_t rank, int) { JARVIS_REQUIRE(left_.erase(rank) == 1); });
        JARVIS_REQUIRE(own == waits.size());
        JARVIS_REQUIRE(left_ == remote_.left());
        hear();
        for (auto* sink : {&output_, &errors_})
            while (sink->wants_to_write())
                sink->write_some();
    }

public:
    // Errors go to a pipe that nobody reads, half of the time.
    World(const Listener& listener, int output, int errors, bool labels)
        : output_(output), errors_(errors), remote_("n2", connect(listener))
    {
        agent_ = listener.accept();
        int ends[2];
        JARVIS_REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
        input_[0] = Fd(ends[0]);
        input_[1] = Fd(ends[1]);
        remote_.introduce({});
        for (std::uint32_t rank = 0; rank < tasks; ++rank) {
            remote_.add_task(rank);
            remote_.add_output(rank, 1, labels ? std::optional(client::LineLabels(rank, tasks)) : std::nullopt, output_);
            if (rank > 0)
                remote_.add_output(rank, 2, labels ? std::optional(client::LineLabels(rank, tasks)) : std::nullopt, errors_);
        }
        remote_.add_input(0, input_[0].get());
        remote_.start({});
        std::string introduced;
        char part[4096];
        const auto size = ::recv(agent_.get(), part, sizeof part, MSG_DONTWAIT); // the FromRun, and the start
        JARVIS_REQUIRE(size > 0);
    }

    void say_bytes(std::string_view bytes)
    {
        said_bytes_ = true;
        put(bytes);
    }
    void say(const wire::FromAgent& message)
    {
        if (message.has_taken())
            taken_input_ += message.taken().bytes();
        std::string bytes;
        wire::append_frame(bytes, message);
        put(bytes);
    }
    void hang_up()
    {
        agent_ = Fd();
        for (int rounds = 0; rounds < 1000 && remote_.trouble().empty() && !left_.empty(); ++rounds)
            handle(); // what was left in the socket comes before its end
    }
    void write_input(std::size_t size)
    {
        (void)!::write(input_[1].get(), std::string(size, 'i').data(), size);
        handle();
        JARVIS_REQUIRE(said_bytes_ || sent_input_ <= window + taken_input_);
    }
    void signal(int signal)
    {
        remote_.signal(signal);
        handle();
    }
    void end()
    {
        hang_up();
        JARVIS_REQUIRE(left_.empty() || !remote_.trouble().empty());
        JARVIS_REQUIRE(remote_.trouble().find('\x1b') == std::string::npos && remote_.trouble().find('\n') == std::string::npos);
        (void)remote_.take_places();
    }
};

wire::FromAgent some_message(fuzz::Draw& draw)
{
    wire::FromAgent message;
    const auto rank = draw.below(tasks + 1);
    switch (draw.below(6)) {
    case 0: message.mutable_refused()->set_message(std::string(draw.text())); break;
    case 1: message.mutable_started()->add_tasks()->set_rank(rank); break;
    case 2:
    case 3: {
        auto& output = *message.mutable_output();
        output.set_rank(rank);
        output.set_stream(draw.below(4));
        output.set_data(draw.rarely(4) ? std::string(draw.byte() * std::size_t{512}, 'o') : std::string(draw.text()));
        break;
    }
    case 4:
        message.mutable_taken()->set_rank(rank);
        message.mutable_taken()->set_bytes(draw.pick<std::uint32_t>({0, 1, 1000, window, std::numeric_limits<std::uint32_t>::max()}));
        break;
    default:
        message.mutable_ended()->set_rank(rank);
        message.mutable_ended()->set_status(draw.pick<std::int32_t>({0, 256, 9, -1}));
        break;
    }
    return message;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::TemporaryFolder folder;
    static const Listener listener(folder.path() + "/steps.sock");
    static const Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC)), full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    fuzz::Draw draw(data, size);
    const auto how = draw.byte();
    World world(listener, null.get(), (how & 1) != 0 ? full.get() : null.get(), (how & 2) != 0);
    while (!draw.done()) {
        switch (draw.below(8)) {
        case 0: world.say_bytes(draw.text()); break;
        case 1: world.write_input(draw.byte() * std::size_t{256}); break;
        case 2: world.signal(draw.byte()); break;
        case 3:
            if (draw.rarely(8))
                world.hang_up();
            break;
        default: world.say(some_message(draw)); break;
        }
    }
    world.end();
    return 0;
}
