// jhold: keeps waiting jobs from starting.
#include "hold_release.hpp"

using namespace jarvis::client;

int main(int argc, char** argv)
{
    const Program program{
        .name = "jhold",
        .summary = "Keep waiting jobs from starting until jrelease lets them go.",
        .usage = {"[OPTION]... IDS..."},
        .options = hold_options,
        .notes = "Ids are given as 7 or 7,9-12, tasks of arrays as 7_3 or 7_[1-4].",
    };
    return run_program(program, argc, argv, [](const Program& self, const CommandLine& line) {
        return change_listed_jobs(self, line, jarvis::wire::ChangeJobs::HOLD);
    });
}
