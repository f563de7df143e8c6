// jresume: lets suspended jobs go on.
#include "hold_release.hpp"

using namespace jarvis::client;

int main(int argc, char** argv)
{
    const Program program{
        .name = "jresume",
        .summary = "Let suspended jobs go on.",
        .usage = {"[OPTION]... IDS..."},
        .options = hold_options,
        .notes = "Ids are given as 7 or 7,9-12, tasks of arrays as 7_3 or 7_[1-4].",
    };
    return run_program(program, argc, argv, [](const Program& self, const CommandLine& line) {
        return change_listed_jobs(self, line, jarvis::wire::ChangeJobs::RESUME);
    });
}
