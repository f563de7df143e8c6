#include "client/step_remote.hpp"

#include "base/escape.hpp"

#include <algorithm>
#include <cerrno>

#include <unistd.h>

namespace jarvis::client {

namespace {

// Of a task's input, on its way to it.
constexpr std::size_t input_window = std::size_t{256} << 10;
constexpr std::size_t input_piece = std::size_t{32} << 10;
// Of output, at once: a part of what the other side may send unasked.
constexpr std::size_t grant_at_once = std::size_t{128} << 10;

} // namespace

void StepRemote::add_output(std::uint32_t rank, std::uint32_t stream, std::optional<LineLabels> labels, Sink& sink)
{
    outputs_.emplace(std::pair(rank, stream), Output{std::move(labels), &sink});
}

void StepRemote::add_input(std::uint32_t rank, int fd) { inputs_.emplace(rank, Input{fd, input_window}); }

void StepRemote::start(const wire::AgentStart& start)
{
    wire::ToAgent message;
    *message.mutable_start() = start;
    link_.send(message);
}

void StepRemote::signal(int signal)
{
    wire::ToAgent message;
    message.set_signal(signal);
    link_.send(message);
}

// What is held here is bounded by what was granted; the link is read always.
void StepRemote::grant_more()
{
    if (untold_ < grant_at_once ||
        std::ranges::any_of(outputs_, [](const auto& one) { return one.second.sink->is_full() && !one.second.sink->is_broken(); }))
        return;
    wire::ToAgent message;
    message.set_taken(static_cast<std::uint32_t>(std::exchange(untold_, 0)));
    link_.send(message);
}

void StepRemote::add_to(std::vector<pollfd>& waits)
{
    grant_more();
    waits.push_back({link_.fd(), POLLIN, 0});
    waits.push_back({link_.wants_to_write() ? link_.fd() : -1, POLLOUT, 0});
    for (const auto& [rank, input] : inputs_)
        waits.push_back({input.credit > 0 && link_.is_open() ? input.fd : -1, POLLIN, 0});
}

std::size_t StepRemote::handle(const pollfd* waits, const std::function<void(std::uint32_t rank, int status)>& on_end)
{
    const std::size_t own = 2 + inputs_.size();
    if (waits[1].revents != 0)
        link_.flush();
    std::size_t at = 2;
    for (auto input = inputs_.begin(); input != inputs_.end(); ++at) {
        auto& [fd, credit] = input->second;
        if (waits[at].revents == 0) {
            ++input;
            continue;
        }
        char part[input_piece];
        const auto size = ::read(fd, part, std::min(sizeof part, credit));
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            ++input;
            continue;
        }
        wire::ToAgent message;
        message.mutable_input()->set_rank(input->first);
        message.mutable_input()->set_data(part, size > 0 ? static_cast<std::size_t>(size) : 0);
        link_.send(message);
        credit -= size > 0 ? static_cast<std::size_t>(size) : 0;
        input = size > 0 ? std::next(input) : inputs_.erase(input);
    }
    if (waits[0].revents == 0)
        return own;
    bool more = link_.receive();
    while (more) {
        auto frame = link_.next();
        auto message = frame && *frame ? wire::parse<wire::FromAgent>(**frame) : wire::FromAgent();
        if (!frame || !message) {
            trouble_ = fmt::format("node {}: what came from there makes no sense", node_);
            more = false;
        } else if (!*frame) {
            return own;
        } else {
            take(std::move(*message), on_end);
        }
    }
    link_.close();
    if (trouble_.empty() && !left_.empty())
        trouble_ = fmt::format("node {}: the connection to it is lost", node_);
    return own;
}

void StepRemote::take(wire::FromAgent&& message, const std::function<void(std::uint32_t rank, int status)>& on_end)
{
    if (message.has_refused()) {
        refused_ = static_cast<Errc>(std::min(message.refused().code(), 4u));
        const auto said = escape_for_terminal(message.refused().message());
        trouble_ = said.starts_with("node ") ? said : fmt::format("node {}: {}", node_, said);
    } else if (message.has_started()) {
        started_ = true;
        places_.assign(message.started().tasks().begin(), message.started().tasks().end());
    } else if (message.has_output()) {
        untold_ += message.output().data().size();
        write(message.output());
    } else if (message.has_taken()) {
        if (const auto input = inputs_.find(message.taken().rank()); input != inputs_.end())
            input->second.credit = std::min<std::size_t>(input->second.credit + message.taken().bytes(), input_window);
    } else if (message.has_ended() && left_.erase(message.ended().rank()) > 0) {
        finish(message.ended().rank());
        inputs_.erase(message.ended().rank());
        on_end(message.ended().rank(), message.ended().status());
    }
}

void StepRemote::write(const wire::AgentBytes& bytes)
{
    const auto found = outputs_.find({bytes.rank(), bytes.stream()});
    if (found == outputs_.end())
        return;
    auto& output = found->second;
    if (!output.sink->is_broken()) {
        if (output.labels)
            output.labels->take(bytes.data(), output.sink->held());
        else
            output.sink->held() += bytes.data();
        return;
    }
    if (std::exchange(output.shut, true))
        return;
    wire::ToAgent message;
    message.mutable_shut()->set_rank(bytes.rank());
    message.mutable_shut()->set_stream(bytes.stream());
    link_.send(message);
}

void StepRemote::finish(std::uint32_t rank)
{
    for (const std::uint32_t stream : {1u, 2u})
        if (const auto found = outputs_.find({rank, stream}); found != outputs_.end() && found->second.labels)
            found->second.labels->finish(found->second.sink->held());
}

} // namespace jarvis::client
