// A cluster's certificates in a folder:
//
//     ca.crt ca.key                  the authority; ca.key stays where it is
//     controller.crt controller.key
//     nodes/n1.crt nodes/n1.key      to be copied to the same places on n1, with ca.crt
//
// Keys have mode 0600. Every file is replaced whole, so daemons may read at any moment.
#pragma once

#include "pki/certificate.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace jarvis::pki {

constexpr std::string_view default_folder = "/etc/jarvis/pki";
// What `renew` calls those two; no node may have these names.
constexpr std::string_view authority_name = "ca";
constexpr std::string_view controller_name = "controller";

struct Paths {
    std::string certificate;
    std::string key;
};
Paths paths(const std::string& folder, std::string_view name);

// How long certificates are to be valid.
struct Term {
    WallTime now;
    std::optional<std::uint32_t> days;
    std::optional<WallTime> not_before; // else a little before now, for clocks that are a little apart
    std::optional<WallTime> not_after;  // else `days` after its beginning
};

struct Entry {
    std::string name;
    std::string file;
    Certificate certificate;
};

// Makes the folder, an authority and the controller's certificate. The UUID is a new one unless it is given (of a cluster
// that exists already). An authority that is there is left alone: a failure.
Result<std::vector<Entry>> init(const std::string& folder, const std::string& cluster, const std::optional<Uuid>& uuid, const Term& term);
// Keys and certificates of nodes: of all or, when one cannot be made, of none that comes after it. One that exists is a
// failure, found before any is made.
Result<std::vector<Entry>> make_nodes(const std::string& folder, std::span<const std::string> names, const Term& term);
// New certificates with the keys and identities that are there; no names: of the controller and all nodes.
Result<std::vector<Entry>> renew(const std::string& folder, std::span<const std::string> names, const Term& term);

// All certificates of the folder: authority, controller, nodes by name.
Result<std::vector<Entry>> list(const std::string& folder);

} // namespace jarvis::pki
