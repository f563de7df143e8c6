// Asks for one job after the other at a steady rate, over many connections, until its standard input ends.
//
//   bench_queries socket=PATH rate=N ids=N [connections=N] [cpu=PERCENT]
//
// Asks for the jobs 1..ids in turn. A query that is due while the program has used more than cpu percent of a core is
// not sent but counted as late, so the program never takes more of the machine. Prints one line of JSON.
#include "client.hpp"

#include <fmt/format.h>

#include <ctime>
#include <poll.h>

using namespace jarvis;
using namespace jarvis::bench;
using namespace std::chrono_literals;

namespace {

struct Counts {
    std::uint64_t sent = 0, answered = 0, late = 0;
};

double cpu_seconds()
{
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

bool input_has_ended()
{
    pollfd input{.fd = 0, .events = POLLIN, .revents = 0};
    return ::poll(&input, 1, 0) != 0;
}

class Load {
    std::vector<Client> clients_;
    Poller poller_;
    std::uint64_t ids_, rate_;
    double share_;
    Counts counts_;
    std::vector<Clock::time_point> sent_;
    std::vector<float> took_ms_;
    Clock::time_point begin_ = Clock::now();
    double cpu_before_ = cpu_seconds();

    double elapsed() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

    // Those that are due now go out in one piece for each connection.
    Result<void> send_due()
    {
        const auto due = static_cast<std::uint64_t>(elapsed() * static_cast<double>(rate_));
        const bool may = cpu_seconds() - cpu_before_ <= share_ * elapsed();
        for (; counts_.sent + counts_.late < due;) {
            if (!may) {
                ++counts_.late;
                continue;
            }
            auto& client = clients_[counts_.sent % clients_.size()];
            wire::Request request;
            request.set_tag(sent_.size());
            request.mutable_query_jobs()->mutable_filter()->add_ids(1 + counts_.sent % ids_);
            wire::append_frame(client.out(), request);
            sent_.push_back(Clock::now());
            ++counts_.sent;
            if (auto flushed = client.flush(); !flushed)
                return flushed;
        }
        return {};
    }

    Result<void> take(const wire::Reply& reply)
    {
        if (reply.more())
            return {};
        took_ms_.push_back(std::chrono::duration<float, std::milli>(Clock::now() - sent_.at(reply.tag())).count());
        ++counts_.answered;
        return {};
    }

    Result<void> read_ready(std::chrono::milliseconds limit)
    {
        for (const auto number : poller_.wait(limit))
            if (auto read = clients_[number].read([this](const wire::Reply& reply) { return take(reply); }); !read)
                return read;
        return {};
    }

public:
    explicit Load(const Words& words)
        : ids_(words.number("ids", 1)), rate_(words.number("rate")),
          share_(static_cast<double>(words.number("cpu", 50)) / 100)
    {}

    Result<void> connect(const std::string& socket, std::uint64_t connections)
    {
        for (std::uint64_t i = 0; i < connections; ++i) {
            auto client = Client::connect(socket, "bench_queries");
            if (!client)
                return std::unexpected(client.error());
            clients_.push_back(std::move(*client));
            poller_.add(clients_.back(), i);
        }
        return {};
    }

    Result<std::string> measure()
    {
        begin_ = Clock::now();
        cpu_before_ = cpu_seconds();
        while (!input_has_ended()) {
            if (auto sent = send_due(); !sent)
                return std::unexpected(sent.error());
            if (auto read = read_ready(1ms); !read)
                return std::unexpected(read.error());
        }
        const double seconds = elapsed(), cpu = cpu_seconds() - cpu_before_;
        while (counts_.answered < counts_.sent && elapsed() < seconds + 60)
            if (auto read = read_ready(100ms); !read)
                return std::unexpected(read.error());
        return fmt::format(
            "{{\"seconds\": {:.3f}, \"sent\": {}, \"answered\": {}, \"late\": {}, \"cpu_share\": {:.3f}, {}}}", seconds,
            counts_.sent, counts_.answered, counts_.late, cpu / seconds, percentiles_json(took_ms_));
    }
};

Result<std::string> run(const Words& words)
{
    Load load(words);
    if (auto connected = load.connect(words.text("socket"), words.number("connections", 200)); !connected)
        return std::unexpected(connected.error());
    fmt::print("ready\n");
    std::fflush(stdout);
    return load.measure();
}

} // namespace

int main(int argc, char** argv)
{
    const Words words(argc, argv);
    if (words.text("socket").empty() || words.number("rate") == 0) {
        fmt::print(stderr, "usage: bench_queries socket=PATH rate=N ids=N [connections=N] [cpu=PERCENT]\n");
        return 2;
    }
    auto result = run(words);
    if (!result) {
        fmt::print(stderr, "bench_queries: {}\n", result.error().message);
        return 1;
    }
    fmt::print("{}\n", *result);
    return 0;
}
