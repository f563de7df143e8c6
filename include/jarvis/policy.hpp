// Makes a policy plugin from a class; members that it lacks are absent from the table. See policy.h for who calls what.
//
//     class Site {
//     public:
//         explicit Site(const jarvis_plugin::Settings& settings);
//         jarvis_queue_order queue_order() const;                                        // optional
//         jarvis_plugin::Verdict submit(const jarvis_plugin::Job& job);                  // optional
//         void priority(const jarvis_plugin::Jobs& jobs, std::span<std::int64_t> out);   // optional
//     };
//     JARVIS_POLICY_PLUGIN(Site, (jarvis_plugin::About{"site", "1.0", "our rules", settings}))
#ifndef JARVIS_POLICY_HPP
#define JARVIS_POLICY_HPP

#include <jarvis/plugin.hpp>
#include <jarvis/policy.h>

#include <optional>

namespace jarvis_plugin {

// One job among those of a call.
class Job {
    const jarvis_jobs* jobs_;
    std::uint32_t index_;

    void check(std::int32_t code, jarvis_job_field field) const
    {
        if (code != JARVIS_OK)
            throw Failure(static_cast<jarvis_code>(code),
                          "job field " + std::to_string(field) + " cannot be changed so");
    }

public:
    Job(const jarvis_jobs& jobs, std::uint32_t index) noexcept : jobs_(&jobs), index_(index) {}

    // Nothing: the job has not set it, or the host does not know it.
    std::optional<std::int64_t> integer(jarvis_job_field field) const
    {
        std::int64_t value = 0;
        if (jobs_->integer(jobs_->context, index_, field, &value) != JARVIS_OK)
            return {};
        return value;
    }
    std::optional<std::string_view> text(jarvis_job_field field) const
    {
        jarvis_bytes value{};
        if (jobs_->text(jobs_->context, index_, field, &value) != JARVIS_OK)
            return {};
        return view(value);
    }
    // In submit() alone.
    void set(jarvis_job_field field, std::int64_t value) const
    {
        check(jobs_->set_integer ? jobs_->set_integer(jobs_->context, index_, field, value) : JARVIS_DENIED, field);
    }
    void set(jarvis_job_field field, std::string_view value) const
    {
        check(jobs_->set_text ? jobs_->set_text(jobs_->context, index_, field, value.data(), value.size())
                              : JARVIS_DENIED,
              field);
    }
};

class Jobs {
    const jarvis_jobs* jobs_;

public:
    explicit Jobs(const jarvis_jobs& jobs) noexcept : jobs_(&jobs) {}
    std::uint32_t size() const noexcept { return jobs_->count; }
    Job operator[](std::uint32_t index) const noexcept { return {*jobs_, index}; }
};

struct Verdict {
    jarvis_verdict verdict = JARVIS_ACCEPT;
    std::string text = {}; // why it is refused, or what was changed
};

template <class T>
struct PolicyTable {
    static std::int32_t open(const jarvis_open* args, void** state, char* error, std::uint32_t error_size) noexcept
    {
        return guarded(error, error_size, [&] { *state = new T(Settings(*args)); });
    }
    static void close(void* state) noexcept { delete static_cast<T*>(state); }
    static std::uint32_t queue_order(void* state) noexcept { return static_cast<T*>(state)->queue_order(); }
    static std::int32_t submit(void* state, const jarvis_jobs* jobs, std::uint32_t* verdict, char* text,
                               std::uint32_t text_size) noexcept
    {
        return guarded(text, text_size, [&] {
            const Verdict result = static_cast<T*>(state)->submit(Job(*jobs, 0));
            *verdict = result.verdict;
            write_text(text, text_size, result.text);
        });
    }
    static std::int32_t priority(void* state, const jarvis_jobs* jobs, std::int64_t* out, char* error,
                                 std::uint32_t error_size) noexcept
    {
        return guarded(error, error_size, [&] {
            static_cast<T*>(state)->priority(Jobs(*jobs), std::span<std::int64_t>(out, jobs->count));
        });
    }
    static jarvis_policy make(const About& about) noexcept
    {
        jarvis_policy table{};
        table.header = header("policy", about, sizeof table);
        table.open = open;
        table.close = close;
        if constexpr (requires(T & policy) { policy.queue_order(); })
            table.queue_order = queue_order;
        if constexpr (requires(T & policy, const Job& job) { policy.submit(job); })
            table.submit = submit;
        if constexpr (requires(T & policy, const Jobs& jobs, std::span<std::int64_t> out) {
                          policy.priority(jobs, out);
                      })
            table.priority = priority;
        return table;
    }
};

} // namespace jarvis_plugin

#define JARVIS_POLICY_PLUGIN(Class, about)                                                                             \
    extern "C" const jarvis_policy* jarvis_policy_entry(void)                                                          \
    {                                                                                                                  \
        static const jarvis_policy table = jarvis_plugin::PolicyTable<Class>::make about;                              \
        return &table;                                                                                                 \
    }

#endif
