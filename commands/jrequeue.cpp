// jrequeue: makes jobs wait again, and start from their beginning.
#include "hold_release.hpp"

using namespace jarvis::client;

int main(int argc, char** argv)
{
    const Program program{
        .name = "jrequeue",
        .summary = "End what jobs run now, and put the jobs back into the queue.",
        .usage = {"[OPTION]... IDS..."},
        .options = hold_options,
        .notes = "Ids are given as 7 or 7,9-12, tasks of arrays as 7_3 or 7_[1-4]. A job that waits already stays as it is;\n"
                 "one that has ended waits again.",
    };
    return run_program(program, argc, argv, [](const Program& self, const CommandLine& line) {
        return change_listed_jobs(self, line, jarvis::wire::ChangeJobs::REQUEUE);
    });
}
