// A teaching plugin: a policy in C++. It wants every job to say what it is for, gives short jobs of its favourite user
// a better place, and moves what runs for long to another partition. Built as policy_teaching.so.
#include <jarvis/policy.hpp>

#include <array>

namespace {

using jarvis_plugin::Job;
using jarvis_plugin::Verdict;

constexpr std::array settings{
    jarvis_setting{"favourite", JARVIS_SETTING_STRING, 0, "", nullptr, "The user whose jobs come first."},
    jarvis_setting{"long_partition", JARVIS_SETTING_STRING, 0, "long", nullptr, "Where jobs go that may run for long."},
    jarvis_setting{"long_time", JARVIS_SETTING_DURATION, 0, "1d", nullptr, "A time limit above this is long."},
    jarvis_setting{"want_comment", JARVIS_SETTING_BOOLEAN, 0, "false", nullptr, "Refuse jobs without --comment."},
};

class Teaching {
    std::string favourite_, long_partition_;
    std::chrono::microseconds long_time_;
    bool want_comment_;

public:
    explicit Teaching(const jarvis_plugin::Settings& values)
        : favourite_(values.string("favourite")), long_partition_(values.string("long_partition")),
          long_time_(values.duration("long_time")), want_comment_(values.boolean("want_comment"))
    {}

    // Several threads at once: nothing here changes the object.
    Verdict submit(const Job& job) const
    {
        if (want_comment_ && job.text(JARVIS_JOB_COMMENT).value_or("").empty())
            return {JARVIS_REFUSE, "say with --comment what the job is for"};
        const auto limit = job.integer(JARVIS_JOB_TIME_LIMIT_US);
        if (!limit || *limit <= long_time_.count())
            return {};
        job.set(JARVIS_JOB_PARTITION, long_partition_);
        return {JARVIS_CHANGE, "the job may run for long and was put into partition " + long_partition_};
    }

    // Whoever waits gains a point a minute; the favourite has a day's start.
    void priority(const jarvis_plugin::Jobs& jobs, std::span<std::int64_t> out) const
    {
        for (std::uint32_t i = 0; i < jobs.size(); ++i) {
            const std::int64_t minutes = jobs[i].integer(JARVIS_JOB_WAITING_US).value_or(0) / 60'000'000;
            out[i] = minutes + (jobs[i].text(JARVIS_JOB_USER) == favourite_ ? 24 * 60 : 0);
        }
    }
};

} // namespace

JARVIS_POLICY_PLUGIN(Teaching, (jarvis_plugin::About{"teaching", "1.0",
                                                     "wants a reason, favours a user, sorts long jobs out", settings}))
