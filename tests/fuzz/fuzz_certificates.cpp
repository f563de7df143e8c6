// Bytes as what names the parts of a cluster, by the first byte: text as a URI, a UUID or a cluster's name; text in the names of a
// certificate that is otherwise sound; a whole certificate; PEM text as a certificate or key.
#include "draw.hpp"
#include "pki/authority.hpp"
#include "pki/peer_check.hpp"
#include "require.hpp"

using namespace jarvis;

namespace {

constexpr WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1} + std::chrono::hours{12}};
const pki::Uuid uuid{1, 2, 3, 4};

void check_text(std::string_view text)
{
    if (const auto identity = pki::parse_uri(text)) {
        const auto again = pki::parse_uri(pki::to_uri(*identity));
        JARVIS_REQUIRE(again && *again == *identity);
        JARVIS_REQUIRE(!identity->name.empty() && identity->name.find('/') == std::string::npos);
        JARVIS_REQUIRE(!pki::describe(*identity).empty());
    }
    if (const auto read = pki::parse_uuid(text))
        JARVIS_REQUIRE(pki::parse_uuid(pki::to_string(*read)) == *read);
    if (pki::is_cluster_name(text))
        JARVIS_REQUIRE(pki::parse_uri(pki::to_uri({pki::Role::authority, std::string(text), uuid})));
}

// Whatever it says: it can be told of, and judged.
void check_certificate(const pki::Certificate& certificate)
{
    const auto identity = certificate.identity();
    const auto name = certificate.cluster_name();
    JARVIS_REQUIRE(name.empty() || pki::is_cluster_name(name));
    const auto text = pki::describe(certificate);
    JARVIS_REQUIRE(text.starts_with("certificate ") && text.find('\n') == std::string::npos && text.find('\x1b') == std::string::npos);
    JARVIS_REQUIRE(!certificate.fingerprint().empty());
    for (const auto role : {pki::Role::authority, pki::Role::controller, pki::Role::node}) {
        const auto accepted = pki::check_peer(certificate, {role, identity ? identity->cluster : uuid, "hpc"}, noon);
        JARVIS_REQUIRE(!accepted || (identity && identity->role == role && certificate.not_before() <= noon && noon <= certificate.not_after()));
        JARVIS_REQUIRE(!accepted || !pki::check_peer(certificate, {role, {9}, "other"}, noon));
    }
    (void)pki::expiry_warning(certificate, noon);
    const auto again = pki::Certificate::from_der(certificate.to_der());
    JARVIS_REQUIRE(again && again->fingerprint() == certificate.fingerprint());
}

struct Sound {
    pki::Key key = *pki::Key::generate();
    std::string uri = pki::to_uri({pki::Role::node, std::string(40, 'n'), uuid});
    std::string cluster = std::string(20, 'c'); // in the subject
    std::string der;

    Sound()
    {
        const pki::Validity validity{noon - std::chrono::days{1}, noon + std::chrono::days{100}};
        const auto authority = pki::make_authority(key, {pki::Role::authority, cluster, uuid}, validity);
        JARVIS_REQUIRE(authority);
        const auto node = pki::issue({*authority, key}, key, {pki::Role::node, std::string(40, 'n'), uuid}, validity);
        JARVIS_REQUIRE(node);
        der = node->to_der();
    }
};

void put_text(std::string& der, std::string_view there, std::string_view text)
{
    for (auto at = der.find(there); at != std::string::npos; at = der.find(there, at + 1))
        der.replace(at, std::min(text.size(), there.size()), text.substr(0, there.size()));
}

void check_names(fuzz::Draw draw)
{
    static const Sound sound;
    auto der = sound.der;
    put_text(der, sound.cluster, draw.text());
    put_text(der, sound.uri, draw.rest());
    if (const auto certificate = pki::Certificate::from_der(der))
        check_certificate(*certificate);
}

void check_pem(std::string_view text)
{
    if (const auto certificate = pki::Certificate::from_pem(text, "fuzz.crt"))
        check_certificate(*certificate);
    if (const auto key = pki::Key::from_pem(text, "fuzz.key"))
        (void)key->to_pem();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Draw draw(data, size);
    switch (draw.below(4)) {
    case 0: check_text(draw.rest()); break;
    case 1: check_names(draw); break;
    case 2:
        if (const auto certificate = pki::Certificate::from_der(draw.rest()))
            check_certificate(*certificate);
        break;
    default: check_pem(draw.rest()); break;
    }
    return 0;
}
