// Submits trivial jobs over one connection, with some requests under way at any time.
//
//   bench_pipeline SOCKET COUNT WINDOW SCRIPT FOLDER [--run | --leave]
//
// Without --run or --leave the jobs are held, so that only submits are measured. With --run their ends are waited for; with
// --leave they run, and nobody waits for them. Prints the seconds.
#include "client.pb.h"
#include "wire/blocking.hpp"

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <random>

using namespace jarvis;
using namespace std::chrono_literals;

namespace {

struct Options {
    std::string socket;
    std::uint64_t count = 0;
    std::uint64_t window = 0;
    std::string script;
    std::string folder;
    bool held = true;
    bool wait = false;
};

std::int64_t wall_us()
{
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string random_id()
{
    static std::mt19937_64 engine(std::random_device{}());
    std::string id;
    for (int i = 0; i < 16; ++i)
        id.push_back(static_cast<char>(engine()));
    return id;
}

wire::Request submit_request(const Options& options, std::uint64_t tag, const std::string& script)
{
    wire::Request request;
    request.set_tag(tag);
    auto& submit = *request.mutable_submit();
    submit.set_request_id(random_id());
    submit.set_made_us(wall_us());
    submit.set_script(script);
    auto& job = *submit.mutable_job();
    job.set_name("bench");
    job.mutable_resources()->set_tasks(1);
    job.mutable_resources()->set_cpus_per_task(1);
    job.set_hold(options.held);
    job.set_working_directory(options.folder);
    job.set_submit_directory(options.folder);
    job.set_submit_host("bench");
    job.set_output("out_%j");
    job.set_umask(022);
    submit.mutable_environment()->add_variables("PATH=/usr/bin:/bin");
    return request;
}

wire::Request wait_request(std::uint64_t tag, std::uint64_t job)
{
    wire::Request request;
    request.set_tag(tag);
    request.mutable_wait_job()->set_job_id(job);
    return request;
}

Result<void> measure(wire::BlockingConnection& connection, const Options& options, const std::string& script)
{
    const auto deadline = wire::deadline_in(10min);
    std::uint64_t sent = 0;
    std::uint64_t done = 0;
    std::uint64_t under_way = 0;
    while (done < options.count) {
        while (sent < options.count && under_way < options.window) {
            if (auto ok = connection.send(submit_request(options, ++sent, script), deadline); !ok)
                return ok;
            ++under_way;
        }
        auto reply = connection.receive<wire::Reply>(deadline);
        if (!reply)
            return std::unexpected(reply.error());
        if (reply->has_error())
            return fail(Errc::invalid, "request {}: {}", reply->tag(), reply->error().message());
        if (reply->has_submit()) {
            --under_way;
            if (!options.wait)
                ++done;
            else if (auto ok = connection.send(wait_request(options.count + reply->tag(), reply->submit().job_id()), deadline); !ok)
                return ok;
        } else if (reply->has_ended()) {
            if (reply->ended().summary().end().exit_code() != 0 || !reply->ended().summary().end().has_exit_code())
                return fail(Errc::invalid, "job {}: {}", reply->ended().summary().job_id(), reply->ended().summary().end().cause());
            ++done;
        }
    }
    return {};
}

Result<double> run(const Options& options)
{
    std::ifstream file(options.script, std::ios::binary);
    const std::string script((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    auto connection = wire::BlockingConnection::connect(options.socket, 10s);
    if (!connection)
        return std::unexpected(connection.error());
    const WallTime now{std::chrono::microseconds(wall_us())};
    auto hello = connection->exchange_hello(wire::make_hello(wire::Hello::CLIENT, "bench_pipeline", now), {}, wire::deadline_in(10s));
    if (!hello)
        return std::unexpected(hello.error());
    const auto begin = std::chrono::steady_clock::now();
    if (auto measured = measure(*connection, options, script); !measured)
        return std::unexpected(measured.error());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace

int main(int argc, char** argv)
{
    if (argc < 6 || argc > 7) {
        fmt::print(stderr, "usage: bench_pipeline SOCKET COUNT WINDOW SCRIPT FOLDER [--run | --leave]\n");
        return 2;
    }
    const std::string_view mode = argc > 6 ? argv[6] : "";
    const Options options{argv[1], std::stoull(argv[2]), std::stoull(argv[3]), argv[4], argv[5], mode.empty(), mode == "--run"};
    auto seconds = run(options);
    if (!seconds) {
        fmt::print(stderr, "bench_pipeline: {}\n", seconds.error().message);
        return 1;
    }
    fmt::print("{:.6f}\n", *seconds);
    return 0;
}
