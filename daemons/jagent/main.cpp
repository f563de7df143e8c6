// jagent: starts tasks of steps on a node of a job other than its first. A member's shepherd runs it as the job's owner, inside the job.
#include "client/command_line.hpp"
#include "client/step_agent.hpp"

#include <cstdlib>

using namespace jarvis::client;

namespace {

int run(const Program& program, const CommandLine& line)
{
    const char* socket = std::getenv("JARVIS_STEP_SOCKET");
    const char* job = std::getenv("JARVIS_JOB_ID");
    if (!line.words.empty() || !socket || !job)
        return usage_error(program, "it is started by jshepherd, for steps over several nodes");
    return run_agent(socket, job);
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{.name = "jagent",
                          .summary = "Starts tasks of a job's steps on its other nodes. jshepherd runs it inside the job; see jagent(8).",
                          .usage = {""},
                          .options = {},
                          .notes = ""};
    return run_program(program, argc, argv, run);
}
