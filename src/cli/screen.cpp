#include "cli/screen.h"

#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

namespace steepest::cli {

namespace {

bool utf8() {
    for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* locale = std::getenv(variable);
        if (!locale || !*locale) continue;
        const std::string name(locale);
        return name.find("UTF-8") != std::string::npos || name.find("utf8") != std::string::npos;
    }
    return false;
}

void put(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

}  // namespace

TerminalLook terminal_look() {
    TerminalLook look;
    winsize size{};
    if (::isatty(STDOUT_FILENO) != 1) return look;
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) look.columns = size.ws_col, look.rows = size.ws_row;
    const char* no_colour = std::getenv("NO_COLOR");
    look.colour = !(no_colour && *no_colour);
    look.braille = look.colour && utf8();
    return look;
}

Screen::Screen() {
    if (::tcgetattr(STDIN_FILENO, &before_) == 0) {
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        keys_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    put("\x1b[?1049h\x1b[?25l");
}

Screen::~Screen() {
    put("\x1b[?25h\x1b[?1049l");
    if (keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

// Every line's rest is cleared, not the screen before it: that would flicker.
void Screen::draw(std::string_view text) const {
    std::string out = "\x1b[H";
    for (const char c : text) {
        if (c == '\n') out += "\x1b[K";
        out += c;
    }
    put(out + "\x1b[J");
}

bool Screen::quit_within(int milliseconds) const {
    pollfd key{STDIN_FILENO, POLLIN, 0};
    if (::poll(&key, keys_ ? 1 : 0, milliseconds) <= 0) return false;
    char c = 0;
    return ::read(STDIN_FILENO, &c, 1) == 1 && (c == 'q' || c == 'Q');
}

}  // namespace steepest::cli
