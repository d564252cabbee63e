package tui

import (
	"slices"
	"strings"
)

// emojiTable is the common shortcodes, as other chats have them. The order is
// that of the list in which they are offered.
const emojiTable = `
+1 👍 -1 👎 thumbsup 👍 thumbsdown 👎 tada 🎉 heart ❤️ joy 😂 rofl 🤣 smile 😄 smiley 😃 grin 😁 grinning 😀 laughing 😆
wink 😉 blush 😊 relieved 😌 slightly_smiling_face 🙂 upside_down_face 🙃 innocent 😇 heart_eyes 😍 star_struck 🤩
kissing_heart 😘 yum 😋 stuck_out_tongue 😛 zany_face 🤪 money_mouth_face 🤑 hugs 🤗 thinking 🤔 shushing_face 🤫
zipper_mouth_face 🤐 raised_eyebrow 🤨 neutral_face 😐 expressionless 😑 no_mouth 😶 smirk 😏 unamused 😒 roll_eyes 🙄
grimacing 😬 lying_face 🤥 pensive 😔 sleepy 😪 drooling_face 🤤 sleeping 😴 mask 😷 face_with_thermometer 🤒 nauseated_face 🤢
sneezing_face 🤧 hot_face 🥵 cold_face 🥶 woozy_face 🥴 dizzy_face 😵 exploding_head 🤯 cowboy_hat_face 🤠 partying_face 🥳
sunglasses 😎 nerd_face 🤓 monocle_face 🧐 confused 😕 worried 😟 slightly_frowning_face 🙁 open_mouth 😮 hushed 😯
astonished 😲 flushed 😳 pleading_face 🥺 anguished 😧 fearful 😨 cold_sweat 😰 cry 😢 sob 😭 scream 😱 confounded 😖
persevere 😣 disappointed 😞 sweat 😓 sweat_smile 😅 weary 😩 tired_face 😫 yawning_face 🥱 triumph 😤 rage 😡 angry 😠
smiling_imp 😈 skull 💀 poop 💩 clown_face 🤡 ghost 👻 alien 👽 robot 🤖 see_no_evil 🙈 hear_no_evil 🙉 speak_no_evil 🙊
broken_heart 💔 two_hearts 💕 sparkling_heart 💖 orange_heart 🧡 yellow_heart 💛 green_heart 💚 blue_heart 💙 purple_heart 💜
black_heart 🖤 100 💯 boom 💥 dizzy 💫 sweat_drops 💦 dash 💨 speech_balloon 💬 thought_balloon 💭 zzz 💤 wave 👋 ok_hand 👌
crossed_fingers 🤞 metal 🤘 call_me_hand 🤙 point_left 👈 point_right 👉 point_up 👆 point_down 👇 fist ✊ punch 👊 clap 👏
raised_hands 🙌 open_hands 👐 handshake 🤝 pray 🙏 muscle 💪 eyes 👀 brain 🧠 facepalm 🤦 shrug 🤷 bow 🙇 raising_hand 🙋
ninja 🥷 detective 🕵️ dog 🐶 cat 🐱 mouse 🐭 fox_face 🦊 bear 🐻 panda_face 🐼 lion 🦁 cow 🐮 pig 🐷 frog 🐸 monkey 🐒
chicken 🐔 penguin 🐧 bird 🐦 owl 🦉 wolf 🐺 unicorn 🦄 bee 🐝 bug 🐛 snail 🐌 turtle 🐢 snake 🐍 octopus 🐙 crab 🦀
whale 🐳 dolphin 🐬 fish 🐟 shark 🦈 elephant 🐘 gopher 🐹 rabbit 🐰 rose 🌹 sunflower 🌻 four_leaf_clover 🍀 cactus 🌵
evergreen_tree 🌲 mushroom 🍄 earth_africa 🌍 full_moon 🌕 sun_with_face 🌞 star ⭐ star2 🌟 sparkles ✨ zap ⚡ fire 🔥
rainbow 🌈 snowflake ❄️ snowman ⛄ ocean 🌊 apple 🍎 banana 🍌 watermelon 🍉 strawberry 🍓 cherries 🍒 avocado 🥑 hot_pepper 🌶️
pizza 🍕 hamburger 🍔 fries 🍟 taco 🌮 burrito 🌯 sushi 🍣 ramen 🍜 popcorn 🍿 cookie 🍪 cake 🍰 birthday 🎂 chocolate_bar 🍫
doughnut 🍩 icecream 🍦 coffee ☕ tea 🍵 beer 🍺 beers 🍻 wine_glass 🍷 cocktail 🍸 champagne 🍾 clinking_glasses 🥂
soccer ⚽ basketball 🏀 trophy 🏆 medal 🏅 dart 🎯 game_die 🎲 video_game 🎮 musical_note 🎵 guitar 🎸 headphones 🎧
microphone 🎤 art 🎨 clapper 🎬 gift 🎁 balloon 🎈 confetti_ball 🎊 rocket 🚀 airplane ✈️ car 🚗 bus 🚌 train 🚆 bike 🚲
ship 🚢 construction 🚧 house 🏠 office 🏢 hospital 🏥 school 🏫 tent ⛺ hourglass ⌛ alarm_clock ⏰ watch ⌚ calendar 📅
computer 💻 keyboard ⌨️ desktop_computer 🖥️ printer 🖨️ phone ☎️ iphone 📱 battery 🔋 electric_plug 🔌 bulb 💡 flashlight 🔦
camera 📷 tv 📺 satellite 📡 floppy_disk 💾 cd 💿 book 📖 books 📚 memo 📝 pencil2 ✏️ newspaper 📰 bookmark 🔖 package 📦
email 📧 inbox_tray 📥 outbox_tray 📤 chart_with_upwards_trend 📈 chart_with_downwards_trend 📉 pushpin 📌 paperclip 📎
scissors ✂️ lock 🔒 unlock 🔓 key 🔑 hammer 🔨 wrench 🔧 gear ⚙️ toolbox 🧰 magnet 🧲 test_tube 🧪 microscope 🔬
telescope 🔭 pill 💊 syringe 💉 broom 🧹 wastebasket 🗑️ moneybag 💰 gem 💎 bell 🔔 no_bell 🔕 loudspeaker 📢 mega 📣 mag 🔍
link 🔗 shield 🛡️ bomb 💣 checkered_flag 🏁 triangular_flag_on_post 🚩 white_check_mark ✅ heavy_check_mark ✔️ x ❌
question ❓ grey_question ❔ exclamation ❗ warning ⚠️ no_entry ⛔ no_entry_sign 🚫 recycle ♻️ red_circle 🔴 green_circle 🟢
yellow_circle 🟡 blue_circle 🔵 arrow_up ⬆️ arrow_down ⬇️ arrow_left ⬅️ arrow_right ➡️ back 🔙 soon 🔜 new 🆕 free 🆓 up 🆙
cool 🆒 ok 🆗 sos 🆘 infinity ♾️ copyright ©️ tm ™️ hash #️⃣ one 1️⃣ two 2️⃣ three 3️⃣ checkmark ✅ plus ➕ minus ➖
ear 👂 nose 👃 crown 👑 tophat 🎩 mortar_board 🎓 eyeglasses 👓 ring 💍 lipstick 💄 dress 👗 boot 👢 umbrella ☔ anchor ⚓
hotdog 🌭 egg 🥚 bacon 🥓 cheese 🧀 bread 🍞 salad 🥗 rice 🍚 bento 🍱 lollipop 🍭 honey_pot 🍯 baby 👶 santa 🎅 zombie 🧟`

type shortcode struct{ name, text string }

var emojis = func() (all []shortcode) {
	words := strings.Fields(emojiTable)
	for pair := range slices.Chunk(words, 2) {
		all = append(all, shortcode{pair[0], pair[1]})
	}
	return all
}()

// emojiLike lists the emoji whose shortcode begins with a word, then those that
// have it elsewhere.
func emojiLike(word string) (list []offer) {
	word = strings.ToLower(word)
	var inside []offer
	for _, e := range emojis {
		switch i := strings.Index(e.name, word); {
		case i == 0:
			list = append(list, offer{e.text, " ", ":" + e.name + ":"})
		case i > 0:
			inside = append(inside, offer{e.text, " ", ":" + e.name + ":"})
		}
	}
	return append(list, inside...)
}

// emojiNamed is the emoji of a shortcode, without its colons; "" when there is none.
func emojiNamed(name string) string {
	if i := slices.IndexFunc(emojis, func(e shortcode) bool { return e.name == name }); i >= 0 {
		return emojis[i].text
	}
	return ""
}

// emojify makes the shortcode that ends before the cursor, if it does, an emoji.
func (e *editor) emojify() {
	text, closed := strings.CutSuffix(e.text[:e.at], ":")
	from := strings.LastIndexByte(text, ':')
	if !closed || from < 0 || openFence(text) {
		return
	}
	found := emojiNamed(text[from+1:])
	// What stands right behind a word is none: 10:100: and such.
	if found != "" && (from == 0 || strings.ContainsRune(" \n\t:([{\"'", rune(text[from-1])) || text[from-1] >= 0x80) {
		e.replace(from, e.at, found)
	}
}
