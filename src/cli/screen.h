#pragma once
// The terminal at standard output: what it can show, and a screen of its own for what changes.
#include <string_view>
#include <termios.h>

namespace steepest::cli {

// Columns and rows are 0 where standard output is no terminal.
struct TerminalLook {
    int columns = 0, rows = 0;
    bool colour = false;   // no NO_COLOR
    bool braille = false;  // UTF-8, and colours: without them dots of different curves look the same and letters do not
};
TerminalLook terminal_look();

// The alternate screen, keys without echo, no cursor; all of it is given back when this goes.
class Screen {
public:
    Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    ~Screen();

    void draw(std::string_view text) const;
    // Waits for so long, or until a key or a signal; true if the key is q.
    bool quit_within(int milliseconds) const;

private:
    bool keys_ = false;
    termios before_{};
};

}  // namespace steepest::cli
