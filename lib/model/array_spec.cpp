#include "model/array_spec.hpp"

#include "base/escape.hpp"
#include "base/ids.hpp"

#include <algorithm>
#include <charconv>

namespace jarvis {

namespace {

template <class... Args>
std::unexpected<Error> refuse(std::string_view text, std::size_t at, fmt::format_string<Args...> format, Args&&... args)
{
    return fail(Errc::invalid, "array \"{}{}\", column {}: {}", escape_for_terminal(text.substr(0, 60)),
                text.size() > 60 ? "..." : "", at + 1, fmt::format(format, std::forward<Args>(args)...));
}

// The number behind a '%' at text[at].
Result<std::uint32_t> read_throttle(std::string_view text, std::size_t& at)
{
    const auto start = at++;
    const auto end = std::min(text.find_first_not_of("0123456789", at), text.size());
    std::uint32_t value = 0;
    const auto error = std::from_chars(text.data() + at, text.data() + end, value).ec;
    if (end == at || error != std::errc() || value == 0 || value > max_array_size)
        return refuse(text, start, "expected \"%\" and how many tasks may run at once, from 1 to {}", max_array_size);
    at = end;
    return value;
}

} // namespace

Result<ArraySpec> parse_array_spec(std::string_view text)
{
    if (text.empty())
        return fail(Errc::invalid, "the array is empty; expected its tasks, as in \"0-99\" or \"0-99:2%10\"");
    ArraySpec spec;
    std::uint64_t stepped = 0;
    for (std::size_t at = 0;;) {
        const auto start = at;
        if (auto part = parse_index_part(text, at, max_array_task, spec.tasks, stepped); !part)
            return std::unexpected(part.error());
        if (spec.tasks.size() > max_array_size)
            return refuse(text, start, "more than {} tasks", max_array_size);
        if (at < text.size() && text[at] == '%') {
            if (spec.throttle != 0)
                return refuse(text, at, "a second \"%\"; one number holds for the whole array");
            const auto throttle = read_throttle(text, at);
            if (!throttle)
                return std::unexpected(throttle.error());
            spec.throttle = *throttle;
        }
        if (at == text.size())
            return spec;
        if (text[at] != ',')
            return refuse(text, at, "expected a digit, \"-\", \":\", \"%\" or \",\"");
        ++at;
    }
}

std::string format_array_spec(const ArraySpec& spec)
{
    auto text = format_index_set(spec.tasks);
    if (spec.throttle != 0)
        text += fmt::format("%{}", spec.throttle);
    return text;
}

std::uint32_t array_step(const IndexSet& tasks)
{
    const auto& ranges = tasks.ranges();
    if (ranges.size() < 2 || ranges.size() != tasks.size())
        return 1; // one range, or one that is longer than its first task
    const auto step = std::next(ranges.begin())->first - ranges.begin()->first;
    for (auto last = ranges.begin(), at = std::next(last); at != ranges.end(); last = at++)
        if (at->first - last->first != step)
            return 1;
    return step;
}

ArrayShape shape_of(const IndexSet& tasks)
{
    return {tasks.first(), tasks.last(), array_step(tasks), static_cast<std::uint32_t>(tasks.size())};
}

} // namespace jarvis
