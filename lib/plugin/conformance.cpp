#include "plugin/conformance.hpp"

#include "base/fd.hpp"
#include "plugin/auth.hpp"
#include "plugin/policy.hpp"

#include <cerrno>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace jarvis::plugin {

void run_check(const CheckListener& listener, std::string_view name, const std::function<void()>& check)
{
    listener.begin(name);
    try {
        check();
        listener.passed(name);
    } catch (const CheckFailed& failure) {
        listener.failed(name, failure.what());
    } catch (const std::exception& other) {
        listener.failed(name, fmt::format("an exception came out: {}", other.what()));
    }
}

void check_auth(const Source& source, const CheckListener& listener)
{
    run_check(listener, "opens", [&] { need(Auth::open(source), "open"); });
    run_check(listener, "knows_the_peer_of_a_unix_socket_or_says_no", [&] {
        auto auth = need(Auth::open(source), "open");
        int pair[2];
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair failed");
        const Fd ours(pair[0]), theirs(pair[1]);
        const auto peer = auth->from_peer(ours.get());
        if (!peer)
            return need_failure(peer, Errc::denied, "from_peer");
        require(peer->uid == ::getuid() && peer->gid == ::getgid(), "says uid {} gid {}, the peer is uid {} gid {}",
                peer->uid, peer->gid, ::getuid(), ::getgid());
        require(::fcntl(ours.get(), F_GETFD) >= 0, "the descriptor was closed, which is the host's");
    });
    run_check(listener, "denies_what_it_cannot_know", [&] {
        auto auth = need(Auth::open(source), "open");
        const Fd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        require(static_cast<bool>(tcp), "socket failed");
        need_failure(auth->from_peer(tcp.get()), Errc::denied, "from_peer of a socket without a peer");
        need_failure(auth->from_peer(-1), Errc::denied, "from_peer of no descriptor");
    });
}

namespace {

JobRequest some_request(std::uint32_t number)
{
    JobRequest request;
    request.account = Account{.uid = 1000 + number, .gid = 100, .groups = {}, .user = fmt::format("user{}", number), .group = {}, .home = {}, .shell = {}};
    request.name = "check";
    request.partition = "batch";
    request.resources.tasks = 1 + number;
    request.time_limit = std::chrono::hours(1);
    request.script_size = 20;
    return request;
}

} // namespace

void check_policy(const Source& source, const CheckListener& listener)
{
    run_check(listener, "opens_and_chooses_an_order", [&] {
        auto policy = need(Policy::open(source), "open");
        (void)policy->queue_order();
    });
    run_check(listener, "gives_a_verdict_with_a_reason", [&] {
        auto policy = need(Policy::open(source), "open");
        for (std::uint32_t i = 0; i < 100; ++i) {
            auto request = some_request(i);
            const auto before = request;
            const auto verdict = need(policy->submit(request), "submit");
            if (verdict.kind == Verdict::Kind::refuse)
                require(!verdict.text.empty(), "a refusal without a reason");
            if (verdict.kind != Verdict::Kind::change)
                require(request == before, "a request was changed by a verdict that says otherwise");
        }
    });
    run_check(listener, "gives_a_priority_to_each_job_and_the_same_again", [&] {
        auto policy = need(Policy::open(source), "open");
        std::vector<JobRequest> requests;
        for (std::uint32_t i = 0; i < 1000; ++i)
            requests.push_back(some_request(i));
        std::vector<PriorityJob> jobs;
        for (std::uint32_t i = 0; i < requests.size(); ++i)
            jobs.push_back({JobId{i + 1}, &requests[i], std::chrono::minutes(i), 0});
        const auto first = need(policy->priority(jobs), "priority");
        require(first == need(policy->priority(jobs), "priority"),
                "two calls with the same jobs gave different numbers");
        require(need(policy->priority({}), "priority").empty(), "numbers for no jobs");
    });
}

void check_plugin(std::string_view kind, const Source& source, const std::string& folder, const CheckListener& listener)
{
    run_check(listener, "loads_and_its_settings_have_good_defaults", [&] {
        const auto opened = need(open_plugin(source.file, kind), "load");
        need(open_arguments(*opened.header, source), "settings");
    });
    if (kind == "storage")
        check_storage(source, folder, listener);
    else if (kind == "auth")
        check_auth(source, listener);
    else if (kind == "policy")
        check_policy(source, listener);
    else if (kind == "runtime")
        check_runtime(source, folder, listener);
}

} // namespace jarvis::plugin
