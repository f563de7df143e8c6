// The launcher's part that deals with templates: their answers, and what was on its way when one died.
#include "launcher.hpp"

#include "job_folder.hpp"
#include "log.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

namespace jarvis::shepherd {
namespace {

// Dead templates are replaced at once, but one that dies again and again not more often than this.
constexpr std::chrono::seconds restart_pause{1};

} // namespace

void Launcher::serve_templates(const std::vector<pollfd>& waits)
{
    std::vector<Answer> answers;
    for (Runtime& runtime : runtimes_) {
        const auto wait = std::ranges::find(waits, runtime.link.socket(), &pollfd::fd);
        if (!runtime.link.alive() || wait == waits.end() || !(wait->revents & (POLLIN | POLLHUP | POLLERR)))
            continue;
        answers.clear();
        const bool alive = runtime.link.receive(answers);
        for (const Answer& answer : answers)
            on_answer(runtime, answer);
        if (!alive)
            on_template_lost(runtime);
    }
    if (!strays_.empty() && !answers_due())
        strays_.clear();
}

void Launcher::on_answer(Runtime& runtime, const Answer& answer)
{
    const auto& [request, reply] = answer;
    const auto found = shepherds_.find(request.key);
    if (found == shepherds_.end())
        return;
    if (request.kind == RequestKind::clean) {
        if (reply.pid <= 0) {
            log_error("job {}: nothing was removed after its shepherd's death: {}", request.key.job,
                      system_error(reply.value, "fork").message);
            found->second.phase = Shepherd::Phase::cleaned;
            return;
        }
        found->second.cleaner = reply.pid;
        on_forked(request.key, reply.pid);
        return;
    }
    if (reply.pid > 0) {
        found->second.pid = reply.pid;
        found->second.phase = Shepherd::Phase::running;
        tell(launched(request.key, reply.pid));
        on_forked(request.key, reply.pid);
        return;
    }
    shepherds_.erase(found);
    reply_error(request.key, system_error(reply.value, "template of runtime " + runtime.link.runtime() + ": cannot fork").message);
}

void Launcher::on_forked(const JobKey& key, pid_t pid)
{
    by_pid_[pid] = key;
    if (const auto stray = strays_.extract(pid)) // it has ended already
        on_ended(pid, stray.mapped());
}

void Launcher::on_template_lost(Runtime& runtime)
{
    log_error("the template of runtime {} has died; jobs that run are not touched", runtime.link.runtime());
    if (const Request* at = runtime.link.lose())
        runtime.uncertain = Uncertain{at->key, at->job_folder, Clock::now() + restart_pause};
    if (!runtime.uncertain)
        restart(runtime);
}

void Launcher::restart(Runtime& runtime)
{
    if (Clock::now() < runtime.link.started() + restart_pause) {
        if (!runtime.link.problem().empty())
            refuse_all(runtime);
        return; // the next tick, or the next order
    }
    if (auto started = runtime.link.start(); !started) {
        log_error("{}", started.error().message);
        return refuse_all(runtime);
    }
    log_info("the template of runtime {} was started again", runtime.link.runtime());
}

void Launcher::refuse_all(Runtime& runtime)
{
    for (const Request& request : runtime.link.take_all()) {
        const auto found = shepherds_.find(request.key);
        if (found == shepherds_.end())
            continue;
        if (request.kind == RequestKind::clean) {
            found->second.phase = Shepherd::Phase::cleaned;
        } else {
            shepherds_.erase(found);
            reply_error(request.key, runtime.link.problem());
        }
    }
}

// Did the template make the shepherd (or cleaner) before it died? The shepherd's first act is its pid file; until that is there, any
// child of ours that runs our program and that we do not know may be it.
void Launcher::settle_uncertain(Runtime& runtime)
{
    const Uncertain& order = *runtime.uncertain;
    const auto pid = read_shepherd_pid(order.job_folder);
    const auto found = shepherds_.find(order.key);
    const bool is_launch = found != shepherds_.end() && found->second.phase == Shepherd::Phase::ordered;
    if (is_launch && pid)
        return adopt(runtime, *pid);
    const auto unknown = unknown_children(true);
    if (!unknown.empty() && Clock::now() < order.until)
        return;
    for (const pid_t child : unknown)
        ::kill(child, SIGKILL);
    if (unknown.empty()) {
        runtime.uncertain.reset();
        restart(runtime);
    }
}

void Launcher::adopt(Runtime& runtime, pid_t pid)
{
    const Answer answer{runtime.link.take_first(), Reply{pid, 0}};
    runtime.uncertain.reset();
    const bool ended = ::kill(pid, 0) != 0 && !strays_.contains(pid);
    on_answer(runtime, answer);
    if (ended)
        on_ended(pid, 0); // its status is lost; its record says the rest
    restart(runtime);
}

} // namespace jarvis::shepherd
