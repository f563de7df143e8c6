// Submits trivial jobs over some connections, with some requests under way on each at any time.
//
//   bench_pipeline socket=PATH count=N script=FILE folder=DIR [connections=N] [window=N] [mode=held|leave|run]
//                  [users=N first_uid=UID] [folders=own] [first=INDEX] [environment=BYTES] [patience=MS]
//
// mode: jobs are held (usual), left to run, or waited for. users: that many connections, each of another user; this
// needs root. folders=own: each job has a working folder DIR/INDEX of its own, whether it exists or not; first: of the
// first job. environment: how large it is; it differs between users. patience: for how long to wait for a controller
// that is not there. Prints one line of JSON: seconds from the first connection's start to the last answer, and
// percentiles of the submits.
#include "client.hpp"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include <fstream>
#include <iterator>
#include <random>
#include <unistd.h>

using namespace jarvis;
using namespace jarvis::bench;

namespace {

struct Options {
    std::string socket, script, folder;
    std::uint64_t count, connections, window, users, first_uid, first, environment;
    std::chrono::milliseconds patience;
    bool held, wait, own_folders;
};

std::string read_file(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Options options_of(const Words& words)
{
    const auto mode = words.text("mode", "held");
    const auto users = words.number("users");
    return {.socket = words.text("socket"),
            .script = read_file(words.text("script")),
            .folder = words.text("folder"),
            .count = words.number("count"),
            .connections = users != 0 ? users : words.number("connections", 1),
            .window = words.number("window", 1),
            .users = users,
            .first_uid = words.number("first_uid"),
            .first = words.number("first"),
            .environment = words.number("environment"),
            .patience = std::chrono::milliseconds(words.number("patience")),
            .held = mode == "held",
            .wait = mode == "run",
            .own_folders = words.text("folders") == "own"};
}

// What all submits of a user have in common, as bytes: a message's parts may be written one behind the other.
std::string common_part(const Options& options, std::uint64_t user)
{
    wire::Submit submit;
    submit.set_script(options.script);
    auto& job = *submit.mutable_job();
    job.mutable_resources()->set_tasks(1);
    job.mutable_resources()->set_cpus_per_task(1);
    job.set_hold(options.held);
    job.set_submit_directory(options.folder);
    job.set_submit_host("bench");
    job.set_output("out_%j");
    job.set_umask(022);
    auto& environment = *submit.mutable_environment();
    environment.add_variables("PATH=/usr/bin:/bin");
    for (std::uint64_t size = 0, i = 0; size < options.environment; size += 64, ++i)
        environment.add_variables(fmt::format("VARIABLE_{}={}{:x<40}", i, user, "_"));
    return submit.SerializeAsString();
}

std::string random_id()
{
    static std::mt19937_64 engine(std::uint64_t{std::random_device{}()} << 32 | std::random_device{}());
    const std::array<std::uint64_t, 2> words{engine(), engine()};
    return {reinterpret_cast<const char*>(words.data()), sizeof words};
}

void append_submit(std::string& out, const Options& options, const std::string& common, std::uint64_t index)
{
    wire::Submit own;
    own.set_request_id(random_id());
    own.set_made_us(wall_us());
    const auto number = options.first + index;
    own.mutable_job()->set_name(fmt::format("job_{}", number));
    own.mutable_job()->set_working_directory(options.own_folders ? fmt::format("{}/{}", options.folder, number)
                                                                 : options.folder);
    wire::Request head;
    head.set_tag(index + 1);
    std::string payload = head.SerializeAsString();
    const auto own_bytes = own.SerializeAsString();
    std::array<std::uint8_t, 8> field{wire::Request::kSubmitFieldNumber << 3 | 2};
    const auto* end = google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(
        static_cast<std::uint32_t>(common.size() + own_bytes.size()), field.data() + 1);
    payload.append(reinterpret_cast<const char*>(field.data()), static_cast<std::size_t>(end - field.data()));
    payload += common;
    payload += own_bytes;
    wire::append_frame(out, payload);
}

class Run {
    struct Sender {
        Client client;
        std::string common;
        std::uint64_t next; // index
        std::uint64_t under_way = 0;
    };
    const Options& options_;
    std::vector<Sender> senders_;
    std::vector<Clock::time_point> sent_;
    std::vector<float> took_ms_;
    std::uint64_t done_ = 0, last_job_ = 0;
    Poller poller_;

    Result<void> connect()
    {
        for (std::uint64_t i = 0; i < options_.connections; ++i) {
            if (options_.users != 0 && ::seteuid(static_cast<uid_t>(options_.first_uid + i)) != 0)
                return std::unexpected(system_error(errno, "cannot become another user"));
            auto client = Client::connect(options_.socket, "bench_pipeline", options_.patience);
            if (options_.users != 0 && ::seteuid(0) != 0)
                return std::unexpected(system_error(errno, "cannot become root again"));
            if (!client)
                return std::unexpected(client.error());
            senders_.push_back({std::move(*client), common_part(options_, i), i});
            poller_.add(senders_.back().client, i);
        }
        return {};
    }

    Result<void> fill(Sender& sender)
    {
        while (sender.next < options_.count && sender.under_way < options_.window) {
            append_submit(sender.client.out(), options_, sender.common, sender.next);
            sent_[sender.next] = Clock::now();
            sender.next += options_.connections;
            ++sender.under_way;
        }
        return sender.client.flush();
    }

    Result<void> take(Sender& sender, const wire::Reply& reply)
    {
        if (reply.has_submit()) {
            --sender.under_way;
            took_ms_.push_back(std::chrono::duration<float, std::milli>(Clock::now() - sent_[reply.tag() - 1]).count());
            last_job_ = std::max(last_job_, reply.submit().job_id());
            if (!options_.wait) {
                ++done_;
                return {};
            }
            wire::Request request;
            request.set_tag(options_.count + reply.tag());
            request.mutable_wait_job()->set_job_id(reply.submit().job_id());
            wire::append_frame(sender.client.out(), request);
        } else if (reply.has_ended()) {
            const auto& summary = reply.ended().summary();
            if (!summary.end().has_exit_code() || summary.end().exit_code() != 0)
                return fail(Errc::invalid, "job {}: {}", summary.job_id(), summary.end().cause());
            ++done_;
        }
        return {};
    }

    Result<void> serve()
    {
        for (auto& sender : senders_)
            if (auto filled = fill(sender); !filled)
                return filled;
        while (done_ < options_.count) {
            for (const auto number : poller_.wait(std::chrono::seconds(600))) {
                auto& sender = senders_[number];
                if (auto read = sender.client.read([&](const wire::Reply& reply) { return take(sender, reply); });
                    !read)
                    return read;
                if (auto filled = fill(sender); !filled)
                    return filled;
            }
        }
        return {};
    }

public:
    explicit Run(const Options& options) : options_(options), sent_(options.count) { took_ms_.reserve(options.count); }

    // With patience the wait for the controller counts, else the clock starts when all are connected.
    Result<std::string> measure()
    {
        auto begin = Clock::now();
        if (auto connected = connect(); !connected)
            return std::unexpected(connected.error());
        if (options_.patience.count() == 0)
            begin = Clock::now();
        if (auto served = serve(); !served)
            return std::unexpected(served.error());
        const std::chrono::duration<double> seconds = Clock::now() - begin;
        return fmt::format("{{\"seconds\": {:.6f}, \"last_job\": {}, {}}}", seconds.count(), last_job_,
                           percentiles_json(took_ms_));
    }
};

} // namespace

int main(int argc, char** argv)
{
    const Options options = options_of(Words(argc, argv));
    if (options.socket.empty() || options.count == 0 || options.script.empty()) {
        fmt::print(stderr,
                   "usage: bench_pipeline socket=PATH count=N script=FILE folder=DIR [...]: see pipeline.cpp\n");
        return 2;
    }
    auto result = Run(options).measure();
    if (!result) {
        fmt::print(stderr, "bench_pipeline: {}\n", result.error().message);
        return 1;
    }
    fmt::print("{}\n", *result);
    return 0;
}
