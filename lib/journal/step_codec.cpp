#include "journal/step_codec.hpp"

#include "journal.pb.h"
#include "wire/convert_step.hpp"

namespace jarvis::journal {

std::string encode_steps(std::span<const StepEnd> steps)
{
    StepBundle bundle;
    for (const auto& step : steps)
        *bundle.add_steps() = wire::to_message(step);
    return bundle.SerializeAsString();
}

Result<std::vector<StepEnd>> decode_steps(std::string_view bytes)
{
    StepBundle bundle;
    if (!bundle.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(Errc::corrupt, "steps in the history cannot be read");
    std::vector<StepEnd> steps;
    steps.reserve(static_cast<std::size_t>(bundle.steps_size()));
    for (const auto& message : bundle.steps()) {
        auto step = wire::from_message(message);
        if (!step)
            return std::unexpected(step.error());
        steps.push_back(std::move(*step));
    }
    return steps;
}

} // namespace jarvis::journal
