#include "client/step_output.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <fmt/format.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

constexpr std::size_t longest_line = std::size_t{1} << 20;
constexpr std::size_t most_held = std::size_t{256} << 10;

} // namespace

LineLabels::LineLabels(std::uint32_t rank, std::uint32_t tasks)
    : label_(fmt::format("{:>{}}: ", rank, fmt::formatted_size("{}", tasks - 1)))
{
}

void LineLabels::take(std::string_view bytes, std::string& out)
{
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        if (end == bytes.npos) {
            rest_ += bytes;
            if (rest_.size() > longest_line)
                finish(out);
            return;
        }
        out += label_;
        out += rest_;
        out += bytes.substr(0, end + 1);
        rest_.clear();
        bytes.remove_prefix(end + 1);
    }
}

void LineLabels::finish(std::string& out)
{
    if (rest_.empty())
        return;
    out += label_;
    out += rest_;
    out += '\n';
    rest_.clear();
}

bool Sink::is_full() const { return held_.size() >= most_held; }

// A pipe that is ready takes PIPE_BUF bytes without waiting (pipe(7)).
void Sink::write_some()
{
    auto size = std::min<std::size_t>(held_.size(), PIPE_BUF);
    if (size < held_.size())
        if (const auto line = held_.rfind('\n', size - 1); line != held_.npos)
            size = line + 1;
    const auto written = ::write(fd_, held_.data(), size);
    if (written >= 0)
        held_.erase(0, static_cast<std::size_t>(written));
    else if (errno != EINTR && errno != EAGAIN)
        broken_ = true;
}

void Sink::write_all()
{
    while (wants_to_write())
        write_some();
}

} // namespace jarvis::client
