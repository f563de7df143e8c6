#include "client/directives.hpp"

#include "base/escape.hpp"

namespace jarvis::client {

namespace {

constexpr std::string_view blanks = " \t\v\f\r";

bool is_blank(char c) { return blanks.find(c) != std::string_view::npos; }

class WordSplitter {
    std::string_view rest_;
    std::string word_;

    Result<void> single_quoted()
    {
        const auto end = rest_.find('\'');
        if (end == std::string_view::npos)
            return fail(Errc::invalid, "a ' is not closed on this line");
        word_ += rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return {};
    }

    Result<void> double_quoted()
    {
        while (!rest_.empty()) {
            const char c = rest_[0];
            rest_.remove_prefix(1);
            if (c == '"')
                return {};
            // The backslash stays before everything else, as in a shell (POSIX, 2.2.3 Double-Quotes).
            if (c == '\\' && !rest_.empty() && std::string_view("\"\\$`").find(rest_[0]) != std::string_view::npos) {
                word_ += rest_[0];
                rest_.remove_prefix(1);
            } else {
                word_ += c;
            }
        }
        return fail(Errc::invalid, "a \" is not closed on this line");
    }

    Result<void> word()
    {
        while (!rest_.empty() && !is_blank(rest_[0])) {
            const char c = rest_[0];
            rest_.remove_prefix(1);
            Result<void> ok;
            if (c == '\'') {
                ok = single_quoted();
            } else if (c == '"') {
                ok = double_quoted();
            } else if (c != '\\') {
                word_ += c;
            } else if (rest_.empty()) {
                return fail(Errc::invalid, "a \\ at the end: a directive ends with its line");
            } else {
                word_ += rest_[0];
                rest_.remove_prefix(1);
            }
            if (!ok)
                return ok;
        }
        return {};
    }

public:
    explicit WordSplitter(std::string_view line) : rest_(line) {}

    Result<std::vector<std::string>> run()
    {
        std::vector<std::string> words;
        while (true) {
            while (!rest_.empty() && is_blank(rest_[0]))
                rest_.remove_prefix(1);
            if (rest_.empty() || rest_[0] == '#')
                return words;
            word_.clear();
            if (auto ok = word(); !ok)
                return std::unexpected(ok.error());
            words.push_back(word_);
        }
    }
};

} // namespace

Result<std::vector<std::string>> split_words(std::string_view line) { return WordSplitter(line).run(); }

Result<std::vector<Directive>> parse_directives(std::string_view script, std::string_view file)
{
    constexpr std::string_view mark = "#JSUB";
    std::vector<Directive> directives;
    for (std::size_t number = 1; !script.empty(); ++number) {
        const auto end = script.find('\n');
        const auto line = script.substr(0, end);
        script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
        const auto first = line.find_first_not_of(blanks);
        if (first != std::string_view::npos && line[first] != '#')
            break; // the first command: what follows is the script's own business
        if (!line.starts_with(mark) || (line.size() > mark.size() && !is_blank(line[mark.size()])))
            continue;
        auto words = split_words(line.substr(mark.size()));
        if (!words)
            return fail(words.error(), "{}:{}", escape_for_terminal(file), number);
        directives.push_back({number, std::move(*words)});
    }
    return directives;
}

} // namespace jarvis::client
