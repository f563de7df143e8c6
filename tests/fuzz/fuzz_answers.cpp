// Bytes as what two nodes say that a job uses, twice, and what a person is shown of that: lines of text without anything that a terminal
// would obey, and JSON. The first of them may be any message of that kind, the others are made of the input.
#include "draw.hpp"
#include "require.hpp"

#include "client/live_usage.hpp"
#include "wire/convert.hpp"

#include <cmath>
#include <limits>

using namespace jarvis;

namespace {

std::int64_t amount(fuzz::Draw& draw)
{
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    return draw.pick<std::int64_t>({0, 1, 4096, 1'000'000, -1, most, -most - 1, std::int64_t{1} << 53, (std::int64_t{1} << 53) + 1});
}

wire::JobSample sample(fuzz::Draw& draw)
{
    wire::JobSample sample;
    if (draw.rarely(8)) {
        (void)sample.ParseFromString(std::string(draw.text()));
        return sample;
    }
    sample.set_at_us(amount(draw));
    sample.mutable_usage()->set_cpu_user_us(amount(draw));
    sample.mutable_usage()->set_cpu_system_us(amount(draw));
    const auto has = draw.byte();
    if ((has & 1) != 0) {
        auto& detail = *sample.mutable_usage()->mutable_detail();
        detail.set_throttled_us(amount(draw));
        detail.set_major_faults(amount(draw));
        detail.set_read(amount(draw));
        detail.set_written(amount(draw));
    }
    if ((has & 2) != 0) {
        sample.mutable_usage()->set_memory_peak(amount(draw));
        sample.set_memory(amount(draw));
        sample.set_memory_limit(amount(draw));
    }
    if ((has & 4) != 0) {
        sample.set_anonymous(amount(draw));
        sample.set_shared(amount(draw));
        sample.set_page_cache(amount(draw));
        sample.set_kernel(amount(draw));
    }
    if ((has & 8) != 0) {
        sample.set_cpu_pressure(static_cast<std::uint32_t>(amount(draw)));
        sample.set_threads(static_cast<std::uint32_t>(amount(draw)));
        sample.set_threads_limit(static_cast<std::uint32_t>(amount(draw)));
    }
    sample.set_processes(static_cast<std::uint32_t>(amount(draw)));
    if ((has & 16) != 0)
        sample.add_notes(std::string(draw.text()));
    return sample;
}

wire::NodeAnswers answers(fuzz::Draw& draw)
{
    wire::NodeAnswers answers;
    for (const char* node : {"n1", "n2"}) {
        if (draw.rarely(8))
            continue;
        auto& item = *answers.add_items();
        item.set_node(node);
        if (draw.rarely(8))
            *item.mutable_error() = wire::to_message(Error{Errc::unavailable, std::string(draw.text())});
        else
            *item.mutable_usage() = sample(draw);
    }
    return answers;
}

// What the controller says of the job is sound.
wire::JobDetail detail(fuzz::Draw& draw)
{
    wire::JobDetail detail;
    auto& summary = *detail.mutable_summary();
    summary.set_job_id(7);
    summary.set_state(3);
    summary.set_memory(std::int64_t{1} << 30);
    detail.set_elapsed_us(draw.byte() * 1'000'000ll);
    if (draw.flag())
        summary.set_time_limit_us(3'600'000'000);
    for (const char* name : {"n1", "n2"}) {
        auto& node = *detail.add_nodes();
        node.set_name(name);
        node.set_cores("0-3");
    }
    return detail;
}

bool is_harmless(std::string_view text)
{
    return std::ranges::all_of(text, [](char c) { return c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
}

void check_figures(const client::LiveFigures& figures)
{
    for (const auto& rate : {figures.user, figures.system, figures.throttled, figures.fault_rate, figures.read_rate, figures.write_rate})
        JARVIS_REQUIRE(!rate || (*rate >= 0 && std::isfinite(*rate)));
    for (const auto& size : {figures.memory, figures.peak, figures.limit, figures.anonymous, figures.shared, figures.page_cache, figures.kernel,
                             figures.faults, figures.read, figures.written})
        JARVIS_REQUIRE(!size || *size >= 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Draw draw(data, size);
    const auto job = detail(draw);
    const auto before = answers(draw);
    const auto now = answers(draw);
    const auto usage = client::live_usage(job, before, now);
    JARVIS_REQUIRE(usage.nodes.size() == 2);
    check_figures(usage.sum);
    for (const auto& node : usage.nodes)
        check_figures(node.figures);
    JARVIS_REQUIRE(is_harmless(client::live_screen(job, usage, {})));
    JARVIS_REQUIRE(is_harmless(client::live_lines(job, usage, true)));
    const auto json = client::live_json(job, usage, WallTime{});
    JARVIS_REQUIRE(json.ends_with("}\n"));
    JARVIS_REQUIRE(std::ranges::none_of(json.substr(0, json.size() - 1), [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
    return 0;
}
