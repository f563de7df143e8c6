// The part of NodeDaemon that answers what the controller asks for somebody: what a job uses, and what this node can enforce.
// Answers are made in a thread of their own, since the kernel may take its time, and leave on the connection that asked.
#include "node_daemon.hpp"

#include "daemon/log.hpp"
#include "daemon/off_loop.hpp"
#include "job_sample.hpp"
#include "node_check.hpp"
#include "wire/convert.hpp"

namespace jarvis::noded {
namespace {

// More are refused: whoever asks can ask again.
constexpr std::size_t questions_at_once = 64;

wire::NodeAnswer refusal(std::uint64_t number, Errc code, std::string words)
{
    wire::NodeAnswer answer;
    answer.set_number(number);
    *answer.mutable_error() = wire::to_message(Error{code, std::move(words)});
    return answer;
}

} // namespace

void NodeDaemon::take_question(const wire::NodeQuestion& question)
{
    if (questions_ >= questions_at_once)
        return send_answer(controller_.channel(),
                           refusal(question.number(), Errc::unavailable,
                                   fmt::format("node {} is answering {} questions already; ask again", setup_.node_name, questions_)));
    ++questions_;
    tasks_.spawn("question", answer_question(question, controller_.channel()));
}

void NodeDaemon::send_answer(const wire::ChannelPtr& asker, wire::NodeAnswer answer)
{
    if (!asker || controller_.channel() != asker)
        return; // another connection's numbers mean other questions
    wire::FromNode message;
    *message.mutable_answer() = std::move(answer);
    controller_.send(message);
}

asio::awaitable<void> NodeDaemon::answer_question(wire::NodeQuestion question, wire::ChannelPtr asker)
{
    struct Done {
        std::size_t& count;
        ~Done() { --count; }
    } const done{questions_};
    wire::NodeAnswer answer;
    answer.set_number(question.number());
    if (question.has_usage()) {
        auto sample = co_await sample_usage(question.usage());
        if (sample)
            *answer.mutable_usage() = std::move(*sample);
        else
            answer = refusal(question.number(), sample.error().code, sample.error().message);
    } else if (question.has_check()) {
        const auto situation = check_situation();
        *answer.mutable_check() = co_await daemon::off_loop(question_pool_, [&] { return check_node(situation); });
    } else {
        answer = refusal(question.number(), Errc::unavailable,
                         fmt::format("the jnoded of node {} does not know this question; update it", setup_.node_name));
    }
    send_answer(asker, std::move(answer));
}

asio::awaitable<Result<wire::JobSample>> NodeDaemon::sample_usage(wire::UsageQuestion question)
{
    const auto id = wire::job_id_of(question);
    if (!id)
        co_return std::unexpected(id.error());
    const node::JobKey key{*id, Incarnation{question.incarnation()}};
    const auto* job = living(key);
    if (!job)
        co_return fail(Errc::not_found, "job {} does not run on node {} (any more)", *id, setup_.node_name);
    SampledJob sampled{.cgroup = job->cgroup, .shepherd = {}};
    if (const auto shepherd = setup_.folder.living_shepherd(key))
        sampled.shepherd = shepherd->pid;
    co_return co_await daemon::off_loop(question_pool_, [&] { return sample_job(sampled); });
}

// What the check has to know of this daemon.
CheckSituation NodeDaemon::check_situation() const
{
    CheckSituation situation = situation_of(setup_.config, setup_.node_name);
    situation.tree = tree_ ? tree_->path() : std::string();
    situation.in_force = launch_settings_.confinement.capabilities;
    return situation;
}

} // namespace jarvis::noded
