// What commands print, against the files in golden/. JARVIS_UPDATE_GOLDEN=1 writes them anew.
#pragma once

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

inline void check_golden(const std::string& name, const std::string& text)
{
    const auto path = std::string(JARVIS_GOLDEN_FOLDER "/") + name;
    if (std::getenv("JARVIS_UPDATE_GOLDEN")) {
        std::ofstream(path) << text;
        return;
    }
    std::ifstream file(path);
    std::stringstream golden;
    golden << file.rdbuf();
    BOOST_TEST(text == golden.str(), name << " differs:\n" << text);
}
