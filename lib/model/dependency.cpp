#include "model/dependency.hpp"

#include "base/escape.hpp"
#include "base/nearest.hpp"
#include "base/units.hpp"
#include "model/job_id_text.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

namespace jarvis {

namespace {

constexpr std::array<std::string_view, 6> kind_names{"after", "afterok", "afterany", "afternotok", "aftercorr", "singleton"};

template <class... Args>
std::unexpected<Error> refuse(std::string_view text, std::size_t at, fmt::format_string<Args...> format, Args&&... args)
{
    return fail(Errc::invalid, "dependency \"{}{}\", column {}: {}", escape_for_terminal(text.substr(0, 60)),
                text.size() > 60 ? "..." : "", at + 1, fmt::format(format, std::forward<Args>(args)...));
}

class DependencyReader {
    std::string_view text_;
    Dependencies result_;
    std::set<std::tuple<DependencyKind, JobId, Duration>> seen_;

    Result<void> add(std::size_t at, Dependency dependency)
    {
        if (!seen_.emplace(dependency.kind, dependency.job, dependency.delay).second)
            return {};
        if (result_.list.size() == max_dependencies)
            return refuse(text_, at, "more than {} dependencies", max_dependencies);
        result_.list.push_back(dependency);
        return {};
    }

    // "ID" or, of after, "ID+DELAY", at text_[begin, end).
    Result<void> job(DependencyKind kind, std::size_t begin, std::size_t end)
    {
        const auto word = text_.substr(begin, end - begin);
        const auto plus = word.find('+');
        const auto id = parse_job_id(word.substr(0, plus));
        if (!id)
            return refuse(text_, begin, "{}", id.error().message);
        Dependency dependency{kind, *id, {}};
        if (kind == DependencyKind::aftercorr && id->is_task())
            return refuse(text_, begin, "aftercorr takes the id of a whole array: {}", id->value);
        if (plus != std::string_view::npos) {
            if (kind != DependencyKind::after)
                return refuse(text_, begin + plus, "only after takes a delay, as in after:{}+10m", *id);
            const auto delay = parse_duration(word.substr(plus + 1));
            if (!delay)
                return refuse(text_, begin + plus + 1, "{}", delay.error().message);
            dependency.delay = *delay;
        }
        return add(begin, dependency);
    }

    // "KIND:ID[:ID...]" or "singleton", at text_[begin, end).
    Result<void> part(std::size_t begin, std::size_t end)
    {
        const auto colon = std::min(text_.find(':', begin), end);
        const auto word = text_.substr(begin, colon - begin);
        const auto found = std::ranges::find(kind_names, word);
        if (word.empty())
            return refuse(text_, begin, "expected one of {}", fmt::join(kind_names, ", "));
        if (found == kind_names.end() && word.find_first_not_of("0123456789_[]+") == std::string_view::npos)
            return refuse(text_, begin, "a kind goes before the id, as in afterok:{}", word);
        if (found == kind_names.end())
            return refuse(text_, begin, "unknown kind \"{}\"; it is one of {}{}", escape_for_terminal(word),
                          fmt::join(kind_names, ", "), did_you_mean(word, kind_names));
        const auto kind = static_cast<DependencyKind>(found - kind_names.begin() + 1);
        if (kind == DependencyKind::singleton)
            return colon == end ? add(begin, {kind, {}, {}})
                                : Result<void>(refuse(text_, colon, "singleton takes no job id"));
        if (colon == end)
            return refuse(text_, end, "{} needs a job id, as in {}:7", word, word);
        for (auto at = colon; at < end;) {
            const auto next = std::min(text_.find(':', at + 1), end);
            if (auto ok = job(kind, at + 1, next); !ok)
                return ok;
            at = next;
        }
        return {};
    }

public:
    explicit DependencyReader(std::string_view text) : text_(text) {}

    Result<Dependencies> run()
    {
        const auto first_separator = text_.find_first_of(",?");
        for (std::size_t begin = 0; begin <= text_.size();) {
            const auto end = std::min(text_.find_first_of(",?", begin), text_.size());
            if (end < text_.size() && text_[end] != text_[first_separator])
                return refuse(text_, end, "\",\" (all must hold) and \"?\" (one is enough) do not mix; use one of them");
            if (auto ok = part(begin, end); !ok)
                return std::unexpected(ok.error());
            begin = end + 1;
        }
        result_.any = result_.list.size() > 1 && first_separator != std::string_view::npos && text_[first_separator] == '?';
        return std::move(result_);
    }
};

} // namespace

std::string_view name(DependencyKind kind) { return kind_names[static_cast<std::size_t>(kind) - 1]; }

Result<Dependencies> parse_dependencies(std::string_view text)
{
    if (text.empty())
        return fail(Errc::invalid, "the dependency is empty; expected for instance \"afterok:7\"");
    return DependencyReader(text).run();
}

std::string format_dependencies(const Dependencies& dependencies)
{
    std::string text;
    const Dependency* last = nullptr;
    for (const auto& dependency : dependencies.list) {
        // "afterok:5:6" for two that must both hold; between alternatives each has its own kind.
        if (last && last->kind == dependency.kind && !dependencies.any && dependency.kind != DependencyKind::singleton)
            text += ':';
        else
            text += fmt::format("{}{}{}", last ? (dependencies.any ? "?" : ",") : "", name(dependency.kind),
                                dependency.kind == DependencyKind::singleton ? "" : ":");
        if (dependency.kind != DependencyKind::singleton)
            text += fmt::format("{}", dependency.job);
        if (dependency.delay != Duration{})
            text += '+' + format_duration_exact(dependency.delay);
        last = &dependency;
    }
    return text;
}

} // namespace jarvis
