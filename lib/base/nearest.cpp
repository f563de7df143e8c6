#include "base/nearest.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/format.h>

namespace jarvis {

namespace {

// Nobody mistypes a word of this length, and the table below grows with it.
constexpr std::size_t longest_word = 128;

std::string lower(std::string_view text)
{
    std::string out(text);
    for (char& c : out)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

// Optimal string alignment: insert, delete, replace, swap of neighbours, each costing 1.
std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

} // namespace

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> known)
{
    if (word.empty() || word.size() > longest_word)
        return std::nullopt;
    const std::string wanted = lower(word);
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    std::optional<std::string_view> best;
    for (auto candidate : known) {
        if (candidate.size() > longest_word)
            continue;
        auto distance = edit_distance(wanted, lower(candidate));
        // A distance as long as the candidate itself means that nothing of it was typed.
        if (distance < best_distance && distance < candidate.size()) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known)
{
    auto candidate = nearest(word, known);
    return candidate ? fmt::format("; did you mean \"{}\"?", *candidate) : std::string();
}

} // namespace jarvis
