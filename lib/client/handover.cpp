#include "client/handover.hpp"

#include "base/escape.hpp"
#include "base/fd.hpp"
#include "client/id_list.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace jarvis::client {

namespace {

// In the data of every build of this command, so that one build knows another (a copy, another version) on PATH.
constexpr char mark[] = "jarvis-queue-command:5f1d0c7e-8c55-4f1c-9d0b-3a1f6f1c2b7a";

// Options of jq 1.6 and 1.7 (its manual, "Invoking jq"). -h, --help, -V and --version are ours.
constexpr std::string_view processor_letters = "srRnjacCMSefL";
constexpr std::string_view processor_options[] = {
    "seq",          "stream",       "stream-errors", "slurp",       "raw-input",   "null-input",  "compact-output",
    "tab",          "indent",       "color-output",  "monochrome-output", "ascii-output", "unbuffered", "sort-keys",
    "raw-output",   "raw-output0",  "join-output",   "from-file",   "exit-status", "arg",         "argjson",
    "slurpfile",    "rawfile",      "argfile",       "args",        "jsonargs",    "binary",      "library-path",
    "build-configuration", "debug-dump-disasm", "debug-trace", "strip-comments"};

bool is_processor_option(std::string_view typed)
{
    if (typed.starts_with("--"))
        return std::ranges::find(processor_options, typed.substr(2)) != std::end(processor_options);
    return typed.size() == 2 && processor_letters.find(typed[1]) != std::string_view::npos;
}

bool carries_mark(int file)
{
    std::string before; // the end of the block before, in which the mark may begin
    std::vector<char> block(256 << 10);
    while (true) {
        const auto n = ::read(file, block.data(), block.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        before.append(block.data(), static_cast<std::size_t>(n));
        if (before.find(mark) != std::string::npos)
            return true;
        before.erase(0, before.size() - std::min(before.size(), sizeof mark - 1));
    }
}

// Scripts that were tried already in this chain of exec: one that leads back here must not be tried again.
constexpr const char* tried_variable = "JARVIS_JQ_TRIED";

std::set<FileIdentity> tried_before()
{
    std::set<FileIdentity> tried;
    const char* text = std::getenv(tried_variable);
    std::string_view rest = text ? text : "";
    while (!rest.empty()) {
        const auto one = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
        FileIdentity identity;
        const auto colon = one.find(':');
        if (colon == std::string_view::npos)
            continue;
        std::from_chars(one.data(), one.data() + colon, identity.first);
        std::from_chars(one.data() + colon + 1, one.data() + one.size(), identity.second);
        tried.insert(identity);
    }
    return tried;
}

bool is_script(const std::string& path)
{
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    char begin[2] = {};
    return file && ::read(file.get(), begin, 2) == 2 && begin[0] == '#' && begin[1] == '!';
}

void remember(std::set<FileIdentity> tried, const FileIdentity& next)
{
    tried.insert(next);
    std::string text;
    for (const auto& [device, inode] : tried)
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", device, inode);
    ::setenv(tried_variable, text.c_str(), 1);
}

} // namespace

bool meant_for_json_processor(std::span<const Option> ours, std::span<const std::string> words)
{
    if (words.empty())
        return false;
    const auto line = parse_words(ours, words);
    if (!line)
        return line.error().option == "-j" ? line.error().kind == WrongUsage::Kind::missing_value
                                           : line.error().kind == WrongUsage::Kind::unknown_option &&
                                                 is_processor_option(line.error().option);
    if (!line->words.empty())
        return true;
    for (const auto& given : line->options)
        if (given.option->letter == 'j' && !parse_id_list(given.value))
            return std::ranges::find(words, "--jobs") == words.end() &&
                   std::ranges::none_of(words, [](const auto& word) { return word.starts_with("--jobs="); });
    return false;
}

std::optional<FileIdentity> identity_of(const std::string& path)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
        return {};
    return FileIdentity{status.st_dev, status.st_ino};
}

std::optional<std::string> find_next_jq(std::string_view path, const std::set<FileIdentity>& skipped)
{
    while (true) {
        const auto colon = path.find(':');
        const auto folder = path.substr(0, colon);
        const auto candidate = (folder.empty() ? "." : std::string(folder)) + "/jq";
        const auto identity = identity_of(candidate);
        if (identity && !skipped.contains(*identity) && ::access(candidate.c_str(), X_OK) == 0) {
            Fd file(::open(candidate.c_str(), O_RDONLY | O_CLOEXEC));
            if (!file || !carries_mark(file.get())) // what cannot be read is not ours: we can be read
                return candidate;
        }
        if (colon == std::string_view::npos)
            return {};
        path.remove_prefix(colon + 1);
    }
}

int hand_over(char** argv)
{
    auto skipped = tried_before();
    if (const auto own = identity_of("/proc/self/exe"))
        skipped.insert(*own);
    const char* path = std::getenv("PATH");
    const auto next = find_next_jq(path ? path : "/usr/local/bin:/usr/bin:/bin", skipped);
    if (!next) {
        fmt::print(stderr, "jq: this is the queue of Jarvis, called like the JSON processor jq, and PATH has no other jq\n"
                           "Install the JSON processor, or see \"jqueue --help\" for the queue.\n");
        return static_cast<int>(Exit::usage);
    }
    if (is_script(*next))
        remember(std::move(skipped), *identity_of(*next));
    else
        ::unsetenv(tried_variable);
    ::execv(next->c_str(), argv);
    fmt::print(stderr, "jq: {}\n", system_error(errno, fmt::format("cannot run {}", escape_for_terminal(*next))).message);
    return static_cast<int>(Exit::usage);
}

} // namespace jarvis::client
