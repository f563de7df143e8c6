#include "cluster/cause.hpp"

namespace jarvis::cluster {

namespace {

std::string_view command_name(const Command& command)
{
    struct Name {
        std::string_view operator()(const CreateCluster&) const { return "new cluster"; }
        std::string_view operator()(const StartController&) const { return "controller start"; }
        std::string_view operator()(const WallClock&) const { return "wall clock"; }
        std::string_view operator()(const Configure&) const { return "configuration"; }
        std::string_view operator()(const TimePassed&) const { return "time"; }
        std::string_view operator()(const SubmitJob&) const { return "submit"; }
        std::string_view operator()(const CancelJobs&) const { return "cancel"; }
        std::string_view operator()(const SignalJobs&) const { return "signal"; }
        std::string_view operator()(const HoldJobs&) const { return "hold"; }
        std::string_view operator()(const ReleaseJobs&) const { return "release"; }
        std::string_view operator()(const DrainNodes&) const { return "drain"; }
        std::string_view operator()(const ResumeNodes&) const { return "resume"; }
        std::string_view operator()(const RegisterNode&) const { return "registration"; }
        std::string_view operator()(const NodeReported&) const { return "node report"; }
        std::string_view operator()(const NodeDisconnected&) const { return "disconnection"; }
        std::string_view operator()(const ContinuePass&) const { return "scheduling"; }
        std::string_view operator()(const DownNodes&) const { return "down"; }
        std::string_view operator()(const RequeueJobs&) const { return "requeue"; }
        std::string_view operator()(const SettleJob&) const { return "dependencies"; }
        std::string_view operator()(const SuspendJobs&) const { return "suspend"; }
        std::string_view operator()(const ResumeJobs&) const { return "resume"; }
        std::string_view operator()(const StepsReported&) const { return "step report"; }
    };
    return std::visit(Name{}, command);
}

} // namespace

Cause cause_of(const State& state, const Command& command)
{
    Cause cause{.command = std::string(command_name(command)), .by = {}, .from = {}};
    std::visit(
        [&](const auto& c) {
            if constexpr (requires { c.caller; }) {
                cause.by = c.caller.user;
                cause.from = c.caller.from;
            } else if constexpr (requires { c.registration; } || std::is_same_v<std::decay_t<decltype(c)>, NodeDisconnected>) {
                cause.by = c.name;
            } else if constexpr (requires { c.report; } || std::is_same_v<std::decay_t<decltype(c)>, StepsReported>) {
                cause.by = state.nodes[c.node.value].name;
            }
        },
        command);
    return cause;
}

} // namespace jarvis::cluster
