#include "snapshot.hpp"

#include "journal/codec.hpp"
#include "require.hpp"

namespace jarvis::fuzz {

std::string snapshot_of(const cluster::State& state)
{
    std::string bytes;
    const auto written = journal::encode_snapshot(state, [&](std::string_view piece) -> Result<void> {
        bytes += piece;
        return {};
    });
    JARVIS_REQUIRE_OK(written);
    return bytes;
}

Result<cluster::State> read_snapshot(std::string_view bytes, std::size_t piece)
{
    journal::SnapshotReader reader;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
        if (auto fed = reader.feed(bytes.substr(at, piece)); !fed)
            return std::unexpected(fed.error());
    return reader.finish();
}

void check_stored_form(const cluster::State& state)
{
    const auto bytes = snapshot_of(state);
    const auto read = read_snapshot(bytes, bytes.size());
    JARVIS_REQUIRE_OK(read);
    JARVIS_REQUIRE(snapshot_of(*read) == bytes);
}

} // namespace jarvis::fuzz
